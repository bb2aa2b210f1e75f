"""Measuring many pictures at once, and surviving whatever OpenFace does."""
