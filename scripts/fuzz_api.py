"""Sends mutated requests to the HTTP API and looks for what must not happen; seeded.

    python scripts/fuzz_api.py [--requests 2000] [--seed 0] [--seconds S]

Bodies, fields, file names, content types, methods and paths are spoilt. Asserted of each answer: no 500, no traceback,
errors of /api as JSON of one line without a path of the server, no more than 20 s.
The exit code is 1 when there is a finding.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from typing import Any

from starlette.testclient import TestClient

from fuzz import mutated
from fuzz_corpus import pictures
from photo2anime.web.api.routes import build_api
from photo2anime.web.server.middleware import ServerMiddleware
from photo2anime.web.server.services import Services
from photo2anime.web.settings import Settings

SLOW_SECONDS = 20.0
NAMES = (
    "a.png",
    "../../etc/passwd",
    "a\x00.png",
    "http://x/y.m3u8",
    "C:\\x.jpg",
    "ü" * 300,
    "",
    ".env",
    "con.svg",
    "a.onnx",
)
KINDS = (
    "image/png",
    "image/svg+xml",
    "text/html",
    "application/x-mpegURL",
    "",
    "video/mp4",
    "application/octet-stream",
)
FIELDS = (
    "style",
    "strength",
    "format",
    "quality",
    "max_side",
    "faces",
    "lines",
    "keep_colors",
    "seed",
    "nonsense",
    "photo",
)
VALUES = ("hayao-v2", "../x.onnx", "/etc/passwd", "NaN", "inf", "-1", "1e999", "0", "٣", "", "on", "null", "png", "svg")
PATHS = (
    "/api/paint",
    "/api/styles",
    "/healthz",
    "/metrics",
    "/docs",
    "/openapi.json",
    "/api/../etc",
    "/api/paint/",
    "/%00",
)
METHODS = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "POST")


def request_of(rng: random.Random, corpus: list[tuple[str, bytes]]) -> dict[str, Any]:
    """Arguments of one request."""
    if rng.random() < 0.15:
        return {"method": rng.choice(METHODS), "url": rng.choice(PATHS), "content": rng.randbytes(rng.randrange(50))}
    photo = rng.choice(corpus)[1]
    photo = mutated(photo, rng) if rng.random() < 0.7 else photo
    chosen = {rng.choice(FIELDS): rng.choice(VALUES) for _ in range(rng.randrange(4))}
    if rng.random() < 0.2:
        kind = {"content-type": rng.choice(KINDS)}
        return {"method": "POST", "url": "/api/paint", "content": photo, "params": chosen, "headers": kind}
    body = b""
    for name, value in chosen.items():
        body += b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), value.encode())
    head = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="%b"\r\nContent-Type: %b\r\n\r\n'
    body += head % (rng.choice(NAMES).encode(), rng.choice(KINDS).encode()) + photo + b"\r\n--x--\r\n"
    if rng.random() < 0.3:
        body = mutated(body, rng)
    headers = {"content-type": "multipart/form-data; boundary=x"}
    return {"method": "POST", "url": "/api/paint", "content": body, "headers": headers}


def wrong_with(response: Any, seconds: float, server_folder: str) -> list[str]:
    """What must not be in an answer."""
    wrong = []
    if response.status_code == 500 or "Traceback" in response.text[:5000]:
        wrong.append(f"answers {response.status_code}: {response.text[:300]}")
    if seconds > SLOW_SECONDS:
        wrong.append(f"takes {seconds:.0f} s")
    if response.status_code >= 400 and response.request.method != "HEAD" and "/api/" in response.request.url.path:
        try:
            message = json.loads(response.text)["error"]
        except (ValueError, KeyError, TypeError):
            return [*wrong, f"{response.status_code} is no JSON with an error: {response.text[:200]}"]
        if "\n" in message or server_folder in message or re.search(r"site-packages|\.py\b", message):
            wrong.append(f"tells too much: {message[:300]}")
    return wrong


def main() -> int:
    """Sends the requests, prints findings and figures; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="send no further request after so long")
    args = parser.parse_args()
    corpus, findings, statuses = list(pictures()), 0, Counter[int]()
    services = Services(Settings(requests=0))
    app = ServerMiddleware(build_api(services), services.settings, services.storage, services.metrics.refused)
    client = TestClient(app, raise_server_exceptions=False)
    ends = time.monotonic() + args.seconds
    for number in range(args.requests):
        if time.monotonic() > ends:
            break
        request = request_of(random.Random(f"{args.seed} request {number}"), corpus)
        started = time.monotonic()
        response = client.request(**request)
        statuses[response.status_code] += 1
        for wrong in wrong_with(response, time.monotonic() - started, tempfile.gettempdir()):
            findings += 1
            print(f"request {number} of seed {args.seed}: {wrong}", flush=True)
    services.finish(5)
    services.storage.remove()
    print(f"{sum(statuses.values())} requests, by status: {dict(sorted(statuses.items()))}; {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
