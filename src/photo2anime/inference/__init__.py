"""Running a network: its verified file, ONNX Runtime, conversion of pixels, tiles."""
