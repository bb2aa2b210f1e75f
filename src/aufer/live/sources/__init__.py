"""Where frames come from: cameras, videos, folders, addresses, other programs."""
