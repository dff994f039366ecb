"""Many photos on one machine or a cluster, with Ray Data."""
