"""The edge to the model libraries: training networks, opening their files, exporting them to ONNX."""
