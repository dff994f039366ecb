"""Training: from photos and pictures in a style to a finished .onnx. Needs `pip install photo2anime[train]`."""
