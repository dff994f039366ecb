"""Scripts in the page's head: they translate Gradio's own texts and mend its buttons."""

from __future__ import annotations

import json

from photo2anime.web.settings import Settings
from photo2anime.web.text import Text

_LANGUAGE = """
document.documentElement.lang = "{tag}";
Object.defineProperty(navigator, "language", {{ get: () => "{tag}" }});
Object.defineProperty(navigator, "languages", {{ get: () => ["{tag}"] }});
"""
_RADIOS = """
document.addEventListener("focusin", ({ target }) => {
  if (target.type !== "radio") return;
  const all = target.closest("fieldset").querySelectorAll("input[type=radio]");
  all.forEach((one) => { one.name = all[0].name; });
});
"""
_TOASTS = """
const sentences = SENTENCES.map(([start, sentence]) => [new RegExp(start), sentence]);
const translate = (node) => {
  const found = sentences.find(([start]) => start.test(node.data));
  if (found && node.data !== found[1]) node.data = node.data.replace(found[0], found[1]);
};
new MutationObserver(() => {
  document.querySelectorAll(".toast-body").forEach((toast) => {
    const texts = document.createTreeWalker(toast, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) translate(texts.currentNode);
  });
}).observe(document, { childList: true, subtree: true, characterData: true });
"""


def head(text: Text, settings: Settings) -> str:
    """HTML for the page's head. Gradio's own words follow the browser's language: it is told the page's. Its radio
    buttons, each a group of its own, become groups that the arrow keys walk through. And what it tells in English alone
    is told in the page's own words.
    """
    tag = "zh-CN" if text.language == "zh" else "en"
    sentences = json.dumps(list(_sentences(text, settings).items()), ensure_ascii=True).replace("</", "<\\/")
    script = _LANGUAGE.format(tag=tag) + _RADIOS + _TOASTS.replace("SENTENCES", sentences)
    return f"<script>{script}</script>"


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
