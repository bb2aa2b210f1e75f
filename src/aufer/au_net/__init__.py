"""Action Units by a network of our own: an approximation of OpenFace's intensities."""
