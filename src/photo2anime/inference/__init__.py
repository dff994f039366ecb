"""Running a network: its verified file, ONNX Runtime, uint8 pixels to network values and back, tiles."""
