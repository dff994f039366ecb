"""The networks: ours, published ones for comparison, and frozen ones for losses and metrics."""
