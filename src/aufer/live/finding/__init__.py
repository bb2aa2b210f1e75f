"""Where the faces of a frame are, and which of them is which from frame to frame."""
