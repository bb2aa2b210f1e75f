"""The command line: one thin file per command, options -> verb -> printed lines."""
