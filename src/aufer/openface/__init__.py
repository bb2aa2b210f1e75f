"""The edge to OpenFace, the C++ program that measures AUs: running it and reading its files."""
