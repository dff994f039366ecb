"""The tab for many photos: files or a folder in, what becomes of each, one ZIP out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import ListFiles

from photo2anime.options import PaintOptions
from photo2anime.web.page.handlers import Page
from photo2anime.web.page.parts import canceller, each_with_gradio_errors, settings, style_cards, with_options, yielding
from photo2anime.web.page.several_handlers import paint_several
from photo2anime.web.server.visitors import RunningWork


def several_tab(page: Page) -> None:
    """Its components, and what happens on each click."""
    text, running = page.text, RunningWork(page.services.visitors)
    failed = gr.State([])
    with gr.Row():
        with gr.Column():
            photos = _photos_box(page)
            folder = gr.UploadButton(text.folder, file_count="directory", elem_id="folder")
        with gr.Column():
            previews = gr.Gallery(label=text.previews, columns=3, height=300, elem_id="previews")
            told = gr.Textbox(show_label=False, container=False, interactive=False, lines=3, elem_id="lines")
            download = gr.DownloadButton(text.zip, interactive=False, elem_id="zip")
            again = gr.Button(text.retry, visible=False, elem_id="again")
    style = style_cards(page, "several-cards")
    with gr.Row():
        submit = gr.Button(text.paint_all, variant="primary", elem_id="paint-all")
        cancel = gr.Button(text.cancel, variant="stop")
    options = settings(page)

    def paint(
        request: gr.Request, photos: list[str] | None, options: PaintOptions, progress: gr.Progress
    ) -> Iterator[tuple[Any, ...]]:
        session = str(request.session_hash)
        over = running.start(session)
        try:
            for several in each_with_gradio_errors(paint_several(page, photos, options, over)):
                ready = gr.DownloadButton(value=several.zip, interactive=several.zip is not None)
                retry = gr.Button(visible=bool(several.failed) and text.painting not in str(several.lines))
                yield several.previews, "\n".join(several.lines), ready, retry, several.failed
        finally:
            running.end(session)

    folder.preprocess = photos.preprocess
    folder.upload(lambda files: files, folder, photos, api_visibility="private", queue=False)
    shown = [previews, told, download, again, failed]
    for button, source in ((submit, photos), (again, failed)):
        button.click(
            yielding(with_options(paint)), [source, style, *options], shown, api_visibility="private",
            concurrency_limit=None,
        )  # fmt: skip
    cancel.click(canceller(running), None, None, api_visibility="private", queue=False)


def _photos_box(page: Page) -> gr.File:
    """The input for many files, of any type: those that are no photos are listed after the others are painted."""
    photos = gr.File(label=page.text.photos, file_count="multiple", height=240, elem_id="photos")
    name_of = page.services.storage.name_of

    def paths(payload: Any) -> list[str] | None:
        return [file.path for file in payload.root] if payload else None

    def listed(files: list[str] | None) -> ListFiles:
        return ListFiles([gr.FileData(path=f, orig_name=name_of(f), size=Path(f).stat().st_size) for f in files or []])

    photos.preprocess, photos.postprocess = paths, listed
    return photos
