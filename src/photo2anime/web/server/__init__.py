"""What page and API share: middleware, jobs, uploads, files, metrics, painting, the video process."""
