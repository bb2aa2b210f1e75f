"""Where messages go: sockets, files, windows, pages, other programs."""
