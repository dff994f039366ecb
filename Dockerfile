FROM python:3.11-slim AS base

# libgomp: onnxruntime's threads
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY man ./man
COPY src ./src
RUN useradd --create-home painter

# For `photo2anime batch` on a Ray cluster: docker build --target worker .  (wget: KubeRay asks with it how a node is)
FROM base AS worker
RUN apt-get update && apt-get install --yes --no-install-recommends wget && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir -c constraints.txt '.[cluster]' 'ray[default]' && rm -rf /app/src
ENV RAY_USAGE_STATS_ENABLED=0
USER painter
CMD ["photo2anime", "batch", "--help"]

# The web page and the API; what `docker build .` makes.
FROM base AS serve
RUN pip install --no-cache-dir -c constraints.txt '.[app]' && rm -rf /app/src

USER painter
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7860/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["photo2anime", "serve", "--host", "0.0.0.0"]
