"""The networks: ours, the published ones it is compared with, and the frozen ones that judge."""
