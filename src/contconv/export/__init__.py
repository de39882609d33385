"""What leaves this package: plain modules, ONNX graphs, and files of layers."""
