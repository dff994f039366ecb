"""The tab for a video: upload, the part of it that is meant, stills first, then the whole."""

from __future__ import annotations

from typing import Any

import gradio as gr

from photo2anime.options import PaintOptions
from photo2anime.web.page import handlers, video_handlers
from photo2anime.web.page.handlers import Page
from photo2anime.web.page.parts import canceller, left, path_of, settings, style_cards, with_gradio_errors, with_options
from photo2anime.web.page.video_handlers import WHOLE, Part
from photo2anime.web.server.visitors import RunningWork


def video_tab(page: Page) -> None:
    """Its components, and what happens on each click."""
    text, running = page.text, RunningWork(page.services.visitors)
    part = gr.State(WHOLE)
    with gr.Row():
        with gr.Column():
            source = gr.Video(label=text.your_video, sources=["upload", "webcam"], height=300, elem_id="video")
            source.preprocess = path_of
            with gr.Row(visible=False, elem_id="trim") as trim:
                start = gr.Slider(0, 1, value=0, step=0.1, label=text.trim_start, elem_id="trim-start")
                end = gr.Slider(0, 1, value=1, step=0.1, label=text.trim_end, elem_id="trim-end")
        with gr.Column():
            stills = gr.Gallery(label=text.stills, columns=3, height="auto", elem_id="stills")
            result = gr.Video(label=text.video_result, interactive=False, elem_id="video-result", buttons=["download"])
            result.postprocess = lambda path: gr.FileData(path=path) if path else None
    style = style_cards(page, "video-cards")
    with gr.Row():
        look = gr.Button(text.stills_button, elem_id="stills-button")
        submit = gr.Button(text.paint_video, variant="primary", elem_id="paint-video")
        cancel = gr.Button(text.cancel, variant="stop", elem_id="cancel-video")
    options = settings(page)

    def measured(file: str | None) -> list[Any]:
        seconds = with_gradio_errors(lambda: video_handlers.length(page, file)) if file else 0
        handles = [gr.Slider(0, seconds or 1, value=value) for value in (0, seconds or 1)]
        return [gr.Row(visible=seconds > 0.5), *handles, WHOLE]

    def trimmed(start: float, end: float) -> Part:
        return Part(min(start, end), max(start, end))

    def preview(
        request: gr.Request, given: tuple[str | None, Part], options: PaintOptions, progress: gr.Progress
    ) -> list[str]:
        over, (file, part) = left(page, request), given
        return with_gradio_errors(lambda: video_handlers.show_stills(page, file, options, over, part))  # type: ignore[no-any-return]

    def paint(request: gr.Request, given: tuple[str | None, Part], options: PaintOptions, progress: gr.Progress) -> str:
        session, (file, part) = str(request.session_hash), given
        over, on_step = running.start(session), handlers.steps_of(progress, text.time_left)
        try:
            return with_gradio_errors(  # type: ignore[no-any-return]
                lambda: video_handlers.show_video(page, file, options, on_step, over, part)
            )
        finally:
            running.end(session)

    inputs = [source, style, *options, part]
    source.input(measured, source, [trim, start, end, part], api_visibility="private", concurrency_limit=None)
    for handle in (start, end):
        handle.release(trimmed, [start, end], part, api_visibility="private", queue=False)
    look.click(with_options(preview), inputs, stills, api_visibility="private", concurrency_limit=None)
    submit.click(with_options(paint), inputs, result, api_visibility="private", concurrency_limit=None)
    cancel.click(canceller(running), None, None, api_visibility="private", queue=False)
