"""What page and API stand on: middleware, jobs, uploads, files, metrics, painting, the video process."""
