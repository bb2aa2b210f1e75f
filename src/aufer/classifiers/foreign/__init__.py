"""Models of other programs, made into bundles: what they are, how they are fed, and as ONNX."""
