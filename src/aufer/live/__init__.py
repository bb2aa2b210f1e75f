"""The edge to cameras and sockets: frames come in, one message of expressions a frame goes out."""
