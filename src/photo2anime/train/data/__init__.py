"""Training data: from films and folders to crops, drawn targets and batches."""
