"""Evaluation of a style: metrics, KID, drawn-ness, speed and memory, the report."""
