"""The web page in one language: its head, its tabs, its foot."""

from __future__ import annotations

import gradio as gr

from photo2anime.web.page import video_handlers
from photo2anime.web.page.handlers import Page
from photo2anime.web.page.photo_tab import photo_tab
from photo2anime.web.page.samples import Samples
from photo2anime.web.page.several_tab import several_tab
from photo2anime.web.page.video_tab import video_tab
from photo2anime.web.server.services import Services
from photo2anime.web.text import TEXTS, Text

_MOST_SESSIONS = 64  # Gradio copies the whole page for each visitor and would keep ten thousand; we need none of them


def build_page(services: Services, text: Text, samples: Samples, showcase: str) -> gr.Blocks:
    """The page in one language; its buttons paint through the services. showcase: HTML, shown until a result is."""
    page = Page(services, text)
    with gr.Blocks(title=text.title, analytics_enabled=False, fill_width=False) as blocks:
        _top(text)
        with gr.Tabs():
            with gr.Tab(text.photo_tab, id="photo"):
                photo_tab(page, samples, showcase)
            with gr.Tab(text.several_tab, id="several"):
                several_tab(page)
            if video_handlers.offered():
                with gr.Tab(text.video_tab, id="video"):
                    video_tab(page)
        gr.HTML(f'<p id="privacy">{text.privacy}</p><p id="said" role="status"></p>')
    blocks.state_session_capacity = _MOST_SESSIONS
    blocks.queue(max_size=services.settings.queue + services.settings.slots)
    return blocks


def _top(text: Text) -> None:
    up = "../" if text.root else ""
    addresses = [(other, f"{up}{other.root[1:]}/" if other.root else f"{up}?lang=en") for other in TEXTS.values()]
    choices = "".join(
        f'<option value="{address}" lang="{other.tag}"{" selected" if other is text else ""}>{other.language_name}'
        "</option>"
        for other, address in addresses
    )
    gr.HTML(
        f'<div id="top"><div><h1>{text.title}</h1><p>{text.subtitle}</p></div><div class="links">'
        f'<select aria-label="{text.languages}" onchange="location.href = this.value">{choices}</select>'
        f'<button type="button" aria-label="{text.theme}" title="{text.theme}" '
        "onclick=\"document.body.classList.toggle('dark')\">◐</button></div></div>"
    )
