"""The web page: its Gradio components, and the function that each button calls."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import gradio as gr
from gradio.data_classes import ListFiles

from photo2anime.options import PaintOptions
from photo2anime.types import FaceChoice, LineWeight
from photo2anime.web.error_messages import PageError
from photo2anime.web.page import handlers, video_handlers
from photo2anime.web.page.handlers import Over, Page
from photo2anime.web.server.services import Services
from photo2anime.web.server.visitors import RunningWork
from photo2anime.web.text import ENGLISH, Text, style_label

PHOTOS = Path(str(resources.files("photo2anime"))) / "web" / "page" / "photos"
_EXAMPLES = ("china", "coast", "astronaut", "coffee")
_PROGRESS = gr.Progress()
_MOST_SESSIONS = 64  # Gradio copies the whole page for each visitor and would keep ten thousand; we need none of them


def build_page(services: Services, text: Text) -> gr.Blocks:
    """The page in one language; its buttons paint through the services."""
    page = Page(services, text)
    with gr.Blocks(title=text.title, analytics_enabled=False, fill_width=False) as blocks:
        _top(text)
        with gr.Tabs():
            with gr.Tab(text.photo_tab, id="photo"):
                _photo_tab(page)
            if video_handlers.offered():
                with gr.Tab(text.video_tab, id="video"):
                    _video_tab(page)
            with gr.Tab(text.several_tab, id="several"):
                _several_tab(page)
        gr.HTML(f'<p id="privacy">{text.privacy}</p>')
    blocks.state_session_capacity = _MOST_SESSIONS
    blocks.queue(max_size=services.settings.queue + services.settings.slots)
    return blocks


def _top(text: Text) -> None:
    with gr.Row(elem_id="top"):
        gr.HTML(f"<h1>{text.title}</h1><p>{text.subtitle}</p>")
        gr.HTML(
            f'<div class="links"><a href="{text.other_link}" hreflang="{"zh" if text is ENGLISH else "en"}">'
            f'{text.other_name}</a><button type="button" aria-label="{text.theme}" '
            "onclick=\"document.body.classList.toggle('dark')\">◐</button></div>"
        )


def _style_cards(page: Page) -> gr.Radio:
    choices = [(style_label(name, page.text), name) for name in page.services.paint_service.styles()]
    return gr.Radio(choices, value=page.services.settings.style, label=page.text.style, elem_classes="cards")


def _settings(page: Page) -> list[gr.components.Component]:
    text, has_faces = page.text, page.services.paint_service.faces_offered()
    with gr.Accordion(text.more, open=False):
        strength = gr.Slider(0, 1, value=1, step=0.05, label=text.strength, info=text.strength_info)
        keep_color = gr.Checkbox(label=text.keep_color, info=text.keep_color_info)
        labels = [text.faces_auto, text.faces_off, text.faces_v1, text.faces_v2]
        choices = list(zip(labels, get_args(FaceChoice), strict=True))
        faces = gr.Radio(choices, value="auto", label=text.faces, info=text.faces_info, visible=has_faces)
        weights = list(zip([text.lines_fine, text.lines_medium, text.lines_broad], get_args(LineWeight), strict=True))
        lines = gr.Radio(weights, value="medium", label=text.lines, info=text.lines_info)
    return [strength, keep_color, faces, lines]


def _with_options(work: Callable[[gr.Request, Any, PaintOptions, gr.Progress], Any]) -> Callable[..., Any]:
    """The function that Gradio calls with the upload, the style and the values of `_settings`, in that order.

    Gradio reads the parameters' names for its API and finds Request and Progress by their types.
    """

    def clicked(
        request: gr.Request,
        photo: Any,
        style: str,
        strength: float,
        keep_color: bool,
        faces: FaceChoice,
        lines: LineWeight,
        progress: gr.Progress = _PROGRESS,
    ) -> Any:
        return work(request, photo, PaintOptions(style, strength, keep_color, faces or "auto", lines), progress)

    return clicked


def _photo_box(text: Text) -> gr.Image:
    """The photo input. It passes on the upload's path unchanged: only image_io decodes pictures."""
    photo = gr.Image(
        label=text.your_photo,
        type="filepath",
        image_mode=None,
        sources=["upload", "webcam", "clipboard"],
        height=340,
        elem_id="photo",
        buttons=["fullscreen"],
    )
    photo.preprocess = _path
    return photo


def _path(payload: gr.FileData | None) -> str | None:
    """The path of an upload. Gradio does not open, convert or rotate it; only our own readers do."""
    return payload.path if payload else None


def _left(page: Page, request: gr.Request) -> Over:
    session = str(request.session_hash)
    return lambda: page.services.visitors.has_left(session)


def _photo_tab(page: Page) -> None:
    text = page.text
    with gr.Row():
        with gr.Column():
            photo = _photo_box(text)
            examples = [[str(PHOTOS / f"{name}.jpg")] for name in _EXAMPLES]
            gr.Examples(examples, photo, label=text.examples, api_visibility="private", elem_id="examples")
            style = _style_cards(page)
            with gr.Row():
                submit = gr.Button(text.submit, variant="primary", elem_id="submit")
                compare = gr.Button(text.all_styles, elem_id="compare")
            settings = _settings(page)
        with gr.Column():
            slider = gr.ImageSlider(
                label=text.result,
                type="filepath",
                interactive=False,
                height=440,
                elem_id="result",
                buttons=["fullscreen"],
            )
            line = gr.Markdown(elem_classes="line")
            download = gr.DownloadButton(text.download, interactive=False, elem_id="download")
            sheet = gr.Gallery(
                label=text.sheet, visible=False, columns=3, height="auto", allow_preview=False, elem_id="sheet"
            )

    def paint(request: gr.Request, photo: str | None, options: PaintOptions, progress: gr.Progress) -> tuple[Any, ...]:
        over = _left(page, request)
        shown = _with_gradio_errors(
            lambda: handlers.paint_photo(page, photo, options, handlers.steps_of(progress), over)
        )
        return (shown.before, shown.after), gr.DownloadButton(value=shown.file, interactive=True), shown.line

    def paint_sheet(request: gr.Request, photo: str | None, options: PaintOptions, progress: gr.Progress) -> Any:
        over = _left(page, request)
        pictures = _with_gradio_errors(
            lambda: handlers.paint_sheet(page, photo, options, handlers.steps_of(progress), over)
        )
        return gr.Gallery([(file, style_label(name, text)) for file, name in pictures], visible=True)

    def choose(event: gr.SelectData) -> str:
        index: int = event.index
        return list(page.services.paint_service.styles())[index]

    inputs = [photo, style, *settings]
    submit.click(_with_options(paint), inputs, [slider, download, line], api_name="paint", concurrency_limit=None)
    compare.click(_with_options(paint_sheet), inputs, sheet, api_visibility="private", concurrency_limit=None)
    sheet.select(choose, None, style, api_visibility="private", queue=False)


def _photos_box(page: Page) -> gr.File:
    """The input for many files, of any type: those that are no photos are listed after the others are painted."""
    photos = gr.File(label=page.text.photos, file_count="multiple", elem_id="photos")
    name_of = page.services.storage.name_of

    def paths(payload: Any) -> list[str] | None:
        return [file.path for file in payload.root] if payload else None

    def listed(files: list[str] | None) -> ListFiles:
        return ListFiles([gr.FileData(path=f, orig_name=name_of(f), size=Path(f).stat().st_size) for f in files or []])

    photos.preprocess, photos.postprocess = paths, listed
    return photos


def _several_tab(page: Page) -> None:
    text, running = page.text, RunningWork(page.services.visitors)
    with gr.Row():
        with gr.Column():
            photos = _photos_box(page)
            folder = gr.UploadButton(text.folder, file_count="directory", elem_id="folder")
            style = _style_cards(page)
            with gr.Row():
                submit = gr.Button(text.paint_all, variant="primary", elem_id="paint-all")
                cancel = gr.Button(text.cancel, variant="stop")
            settings = _settings(page)
        with gr.Column():
            previews = gr.Gallery(label=text.previews, columns=3, height=440, elem_id="previews")
            told = gr.Textbox(show_label=False, container=False, interactive=False, lines=2, elem_id="lines")
            download = gr.DownloadButton(text.zip, interactive=False, elem_id="zip")

    def paint(
        request: gr.Request, photos: list[str] | None, options: PaintOptions, progress: gr.Progress
    ) -> tuple[Any, ...]:
        session = str(request.session_hash)
        over = running.start(session)
        try:
            several = _with_gradio_errors(
                lambda: handlers.paint_several(page, photos, options, handlers.steps_of(progress), over)
            )
        finally:
            running.end(session)
        ready = gr.DownloadButton(value=several.zip, interactive=several.zip is not None)
        return several.previews, "\n".join(several.lines), ready

    folder.preprocess = photos.preprocess
    folder.upload(lambda files: files, folder, photos, api_visibility="private", queue=False)
    inputs, shown = [photos, style, *settings], [previews, told, download]
    submit.click(_with_options(paint), inputs, shown, api_visibility="private", concurrency_limit=None)
    cancel.click(_canceller(running), None, None, api_visibility="private", queue=False)


def _video_tab(page: Page) -> None:
    text, running = page.text, RunningWork(page.services.visitors)
    with gr.Row():
        with gr.Column():
            source = gr.Video(label=text.your_video, sources=["upload", "webcam"], height=340, elem_id="video")
            source.preprocess = _path
            style = _style_cards(page)
            with gr.Row():
                look = gr.Button(text.stills_button, elem_id="stills-button")
                submit = gr.Button(text.paint_video, variant="primary", elem_id="paint-video")
                cancel = gr.Button(text.cancel, variant="stop", elem_id="cancel-video")
            settings = _settings(page)
        with gr.Column():
            stills = gr.Gallery(label=text.stills, columns=3, height="auto", elem_id="stills")
            result = gr.Video(label=text.video_result, interactive=False, elem_id="video-result", buttons=["download"])
            result.postprocess = lambda path: gr.FileData(path=path) if path else None

    def preview(request: gr.Request, file: str | None, options: PaintOptions, progress: gr.Progress) -> list[str]:
        over = _left(page, request)
        return _with_gradio_errors(lambda: video_handlers.show_stills(page, file, options, over))  # type: ignore[no-any-return]

    def paint(request: gr.Request, file: str | None, options: PaintOptions, progress: gr.Progress) -> str:
        session = str(request.session_hash)
        over, on_step = running.start(session), handlers.steps_of(progress, text.time_left)
        try:
            return _with_gradio_errors(  # type: ignore[no-any-return]
                lambda: video_handlers.show_video(page, file, options, on_step, over)
            )
        finally:
            running.end(session)

    inputs = [source, style, *settings]
    look.click(_with_options(preview), inputs, stills, api_visibility="private", concurrency_limit=None)
    submit.click(_with_options(paint), inputs, result, api_visibility="private", concurrency_limit=None)
    cancel.click(_canceller(running), None, None, api_visibility="private", queue=False)


def _canceller(running: RunningWork) -> Callable[[gr.Request], None]:
    def cancel(request: gr.Request) -> None:
        running.cancel(str(request.session_hash))

    return cancel


def _with_gradio_errors(work: Callable[[], Any]) -> Any:
    """The result of work; a PageError becomes Gradio's message on the page."""
    try:
        return work()
    except PageError as notice:
        raise gr.Error(escape(str(notice)), duration=8, print_exception=False, title="photo2anime") from None
