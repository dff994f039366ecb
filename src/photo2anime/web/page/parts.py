"""What the page's tabs share: style cards, settings, and how Gradio calls the functions under the buttons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from html import escape
from typing import Any, get_args

import gradio as gr

from photo2anime.options import PaintOptions
from photo2anime.types import FaceChoice, LineWeight
from photo2anime.web.error_messages import PageError
from photo2anime.web.page.handlers import Over, Page
from photo2anime.web.server.visitors import RunningWork
from photo2anime.web.text import card_text

PROGRESS = gr.Progress()


def style_cards(page: Page, elem_id: str) -> gr.Radio:
    """One card a style, with what stands on it; its picture comes from a style sheet (cards.card_css)."""
    choices = [(card_text(card, page.text), name) for name, card in page.services.paint_service.styles().items()]
    return gr.Radio(
        choices, value=page.services.settings.style, label=page.text.style, elem_classes="cards", elem_id=elem_id
    )


def settings(page: Page) -> list[gr.components.Component]:
    """Strength, colours, faces and lines, in the order that `with_options` wants them."""
    text, has_faces = page.text, page.services.paint_service.faces_offered()
    with gr.Accordion(text.more, open=False, elem_classes="more"):
        with gr.Row():
            strength = gr.Slider(0, 1, value=1, step=0.05, label=text.strength, info=text.strength_info)
            face_strength = gr.Slider(0, 1, value=1, step=0.05, label=text.face_strength, visible=has_faces)
            keep_color = gr.Checkbox(label=text.keep_color, info=text.keep_color_info)
        with gr.Row():
            labels = [text.faces_auto, text.faces_off, text.faces_v1, text.faces_v2]
            choices = list(zip(labels, get_args(FaceChoice), strict=True))
            faces = gr.Radio(choices, value="auto", label=text.faces, info=text.faces_info, visible=has_faces)
            labels = [text.lines_fine, text.lines_medium, text.lines_broad]
            weights = list(zip(labels, get_args(LineWeight), strict=True))
            lines = gr.Radio(weights, value="medium", label=text.lines, info=text.lines_info)
    return [strength, keep_color, faces, lines, face_strength]


def with_options(work: Callable[[gr.Request, Any, PaintOptions, gr.Progress], Any]) -> Callable[..., Any]:
    """The function that Gradio calls with the upload, the style, the values of `settings`, in that order, and for a
    clip with the part that is meant; the work is then given (upload, part).

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
        face_strength: float = 1.0,
        part: Any = None,
        progress: gr.Progress = PROGRESS,
    ) -> Any:
        options = PaintOptions(style, strength, keep_color, faces or "auto", lines, face_strength=face_strength)
        return work(request, photo if part is None else (photo, part), options, progress)

    return clicked


def yielding(function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """The function as a generator, which is how Gradio knows that it answers several times."""

    @wraps(function)
    def each(*args: Any, **kwargs: Any) -> Iterator[Any]:
        yield from function(*args, **kwargs)

    return each


def with_gradio_errors(work: Callable[[], Any]) -> Any:
    """The result of work; a PageError becomes Gradio's message on the page."""
    try:
        return work()
    except PageError as notice:
        raise _told(notice) from None


def each_with_gradio_errors(work: Iterator[Any]) -> Iterator[Any]:
    """What work yields; a PageError becomes Gradio's message on the page."""
    try:
        yield from work
    except PageError as notice:
        raise _told(notice) from None


def _told(notice: PageError) -> gr.Error:
    return gr.Error(escape(str(notice)), duration=8, print_exception=False, title="photo2anime")


def left(page: Page, request: gr.Request) -> Over:
    """Whether the visitor of the request has left."""
    session = str(request.session_hash)
    return lambda: page.services.visitors.has_left(session)


def canceller(running: RunningWork) -> Callable[[gr.Request], None]:
    """The function under a button that ends the visitor's work."""

    def cancel(request: gr.Request) -> None:
        running.cancel(str(request.session_hash))

    return cancel


def path_of(payload: gr.FileData | None) -> str | None:
    """The path of an upload. Gradio does not open, convert or rotate it; only our own readers do."""
    return payload.path if payload else None
