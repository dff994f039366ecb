"""The script in the page's head: it translates Gradio's own texts and does what its blocks do not."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from photo2anime.web.settings import Settings
from photo2anime.web.text import Text


def head(text: Text, settings: Settings) -> str:
    """HTML for the page's head. Gradio's own words follow the browser's language: it is told the page's. What it tells
    in English alone is told in the page's own words.
    """
    script = resources.files("photo2anime").joinpath("web/page/page.js").read_text(encoding="utf-8")
    values = {"TAG": text.tag, "COPIED": text.copied, "SENTENCES": list(_sentences(text, settings).items())}
    constants = "".join(f"const {name} = {_json(value)};\n" for name, value in values.items())
    return f"<script>{{\n{constants}{script}}}</script>"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True).replace("</", "<\\/")


def _sentences(text: Text, settings: Settings) -> dict[str, str]:
    """What Gradio's page says of its own, as regular expressions, and what ours says instead."""
    limit = max(settings.upload_mb, settings.video_mb)
    return {
        r"^\s*Invalid file type.*$": text.wrong_kind,
        r"^\s*File\(s\) exceed the maximum allowed size.*$": text.too_many_bytes.format(limit=limit),
        r"^\s*Video not playable\s*$": text.not_playable,
        r"^\s*HTTP \d+: ": "",  # before a sentence of ours
        r"^\s*(Connection errored out|Connection to the server was lost|Could not reach the server).*$": text.no_answer,
        r"^\s*(Could not parse server response|Failed to fetch|NetworkError|Load failed).*$": text.no_answer,
        r"^\s*(BodyStreamBuffer was aborted|network error|Session not found|Server stopped).*$": text.no_answer,
        r"^\s*(This application is currently busy|Queue is full).*$": text.busy,
        r"^\s*(Error|Warning|Info)\s*$": text.notice,
    }
