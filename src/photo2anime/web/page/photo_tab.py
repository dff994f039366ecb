"""The tab for one photo: upload, cards with the visitor's own photo, result, what to do with it, earlier results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from photo2anime.options import PaintOptions
from photo2anime.types import Photo2AnimeError, Picture
from photo2anime.web.page import handlers, posting, video_handlers
from photo2anime.web.page.handlers import Page, Shown
from photo2anime.web.page.parts import left, path_of, settings, style_cards, with_gradio_errors, with_options
from photo2anime.web.page.samples import NAMES, PHOTOS, Samples
from photo2anime.web.server.file_types import UNKNOWN
from photo2anime.web.text import Text

CARDS = "photo-cards"  # the id of this tab's cards
_MOST_SHOWN = 12  # results of a visit that stay on the page


@dataclass(frozen=True, slots=True)
class _Parts:
    """The tab's components. seen: what a result is shown in, ordered as in `_seen`; inputs: upload, style, settings."""

    photo: gr.Image
    sample: gr.Gallery
    style: gr.Radio
    card_sheet: gr.HTML
    submit: gr.Button
    earlier: gr.Gallery
    visit: gr.State
    seen: list[gr.components.Component]
    inputs: list[gr.components.Component]


def photo_tab(page: Page, samples: Samples, showcase: str) -> None:
    """Its components, and what happens on each click."""
    parts = _built(page, showcase)
    events = _Events(page, samples)
    private: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": None}

    # One tap on a card paints, and so does every setting that is changed; Submit says when there is no photo.
    asked = parts.submit.click(with_options(events.preview), parts.inputs, parts.seen, **private)
    asked = asked.success(
        with_options(events.paint), parts.inputs, parts.seen, api_name="paint", concurrency_limit=None
    )
    changes = [parts.style.input]
    changes += [one.release if isinstance(one, gr.Slider) else one.input for one in parts.inputs[2:]]
    painted = [asked]
    for change in changes:
        changed = change(with_options(events.preview), parts.inputs, parts.seen, trigger_mode="always_last", **private)
        painted.append(changed.success(with_options(events.paint_if_there), parts.inputs, parts.seen, **private))
    for event in painted:
        event.success(
            events.add_to_visit,
            [parts.seen[-1], parts.visit],
            [parts.visit, parts.earlier],
            api_visibility="private",
            queue=False,
            js="(...given) => { photo2anime.show('result'); return given; }",
        )
    given = gr.on(
        [parts.photo.upload, parts.photo.clear],
        events.cards,
        parts.photo,
        parts.card_sheet,
        show_progress="hidden",
        **private,
    )
    given.failure(events.unless_unreadable, parts.photo, parts.photo, api_visibility="private", queue=False)
    chosen = [parts.photo, parts.card_sheet, parts.style, *parts.seen]
    parts.sample.select(events.choose_sample, None, chosen, api_visibility="private", queue=False)
    parts.earlier.select(events.show_again, parts.visit, parts.seen, api_visibility="private", queue=False)


class _Events:
    """What happens on the clicks of one page."""

    def __init__(self, page: Page, samples: Samples) -> None:
        self.page, self.samples = page, samples

    def preview(self, request: gr.Request, photo: str | None, options: PaintOptions, progress: gr.Progress) -> Any:
        """A large photo as it will look, before it is painted whole."""
        if not photo:
            return _unchanged()
        over = left(self.page, request)
        shown = with_gradio_errors(lambda: handlers.preview_photo(self.page, photo, options, over))
        return _seen(shown) if shown else _unchanged()

    def paint(self, request: gr.Request, photo: str | None, options: PaintOptions, progress: gr.Progress) -> Any:
        """The photo painted."""
        over, steps = left(self.page, request), handlers.steps_of(progress)
        return _seen(with_gradio_errors(lambda: handlers.paint_photo(self.page, photo, options, steps, over)))

    def paint_if_there(
        self, request: gr.Request, photo: str | None, options: PaintOptions, progress: gr.Progress
    ) -> Any:
        """The photo painted; nothing is said when there is none yet."""
        return self.paint(request, photo, options, progress) if photo else _unchanged()

    def cards(self, request: gr.Request, photo: str | None) -> str:
        """The visitor's photo on every card."""
        over = left(self.page, request)
        return _sheet(with_gradio_errors(lambda: handlers.paint_cards(self.page, photo, f"#{CARDS}", over)))

    def unless_unreadable(self, photo: str | None) -> Any:
        """Empties the upload box of a file that is no picture, which a browser shows as a broken one."""
        return None if photo and Path(photo).suffix == UNKNOWN else gr.skip()

    def add_to_visit(self, shown: Shown | None, visit: list[Shown]) -> tuple[list[Shown], Any]:
        """The results of this visit with the new one before them."""
        if shown is None or not shown.file or shown in visit:
            return visit, gr.skip()
        holds = self.page.services.storage.holds
        visit = [one for one in [shown, *visit][:_MOST_SHOWN] if holds(one.after)]
        return visit, gr.Gallery([(one.after, Path(one.file).stem) for one in visit], visible=len(visit) > 1)

    def show_again(self, event: gr.SelectData, visit: list[Shown]) -> list[Any]:
        """An earlier result, as long as its file is kept."""
        index: int = event.index
        if index >= len(visit) or not self.page.services.storage.holds(visit[index].file):
            return _unchanged()
        return _seen(visit[index])

    def choose_sample(self, event: gr.SelectData) -> list[Any]:
        """A sample, with the painting that was made of it beforehand."""
        index: int = event.index
        style = self.page.services.settings.style
        try:
            sample = self.samples.wait(index)
        except (Photo2AnimeError, TimeoutError):
            return [str(self.samples.files[index]), gr.skip(), style, *_unchanged()]
        shown = Shown(sample.photo, sample.painted, sample.painted, "")
        return [sample.photo, _sheet(sample.cards), style, *_seen(shown)]


def _built(page: Page, showcase: str) -> _Parts:
    text = page.text
    with gr.Row(elem_id="stage"):
        with gr.Column(scale=4):
            photo = _photo_box(text)
            sample = _strip([str(PHOTOS / f"{name}.jpg") for name in NAMES], text.examples, 4, "examples")
            submit = gr.Button(text.submit, variant="primary", elem_id="submit")
        with gr.Column(scale=5):
            first_look = gr.HTML(showcase, elem_id="showcase")
            slider, line = _slider(page.text), gr.Markdown(elem_classes="line")
            download, row, current = _actions(page)
    seen = [slider, download, line, first_look, row, current]  # callers of /paint read the first three
    style = style_cards(page, CARDS)
    card_sheet = gr.HTML(elem_id="card-sheet", padding=False)
    options = settings(page)
    earlier = _strip([], text.visit, 8, "visit")
    return _Parts(photo, sample, style, card_sheet, submit, earlier, gr.State([]), seen, [photo, style, *options])


def _strip(files: list[str], label: str, columns: int, elem_id: str) -> gr.Gallery:
    """A row of small pictures to choose from; hidden while there is none."""
    return gr.Gallery(
        files,
        label=label,
        columns=columns,
        height=92,
        allow_preview=False,
        interactive=False,
        visible=bool(files),
        elem_id=elem_id,
        elem_classes="strip",
        object_fit="cover",
        buttons=[],
    )


def _slider(text: Text) -> gr.ImageSlider:
    """The photo and its painting; hidden while there is none."""
    return gr.ImageSlider(
        label=text.result,
        type="filepath",
        interactive=False,
        height=360,
        elem_id="result",
        visible=False,
        buttons=["fullscreen"],
    )


def _actions(page: Page) -> tuple[gr.DownloadButton, gr.Row, gr.State]:
    """The buttons under a result and what they do: the download, the row of them all, and the `Shown` they act on."""
    text, current = page.text, gr.State(None)
    with gr.Row(elem_id="actions", visible=False) as row:
        download = gr.DownloadButton(text.download, variant="primary", interactive=False, elem_id="download")
        copy = gr.Button(text.copy, elem_id="copy")
        share = gr.Button(text.share, elem_id="share")
        picture = gr.Button(text.post_picture, elem_id="post-picture")
        clip = gr.Button(text.post_video, elem_id="post-video", visible=video_handlers.offered())
        posted = gr.DownloadButton(elem_id="posted", visible="hidden")
    copy.click(None, js="() => photo2anime.copy()", api_visibility="private")
    share.click(None, js="() => photo2anime.share()", api_visibility="private")
    for button, make, name in (
        (picture, posting.before_after_picture, "before-after.jpg"),
        (clip, posting.before_after_video, "before-after.mp4"),
    ):
        made = button.click(
            _poster(page, make, name), current, posted, api_visibility="private", concurrency_limit=None
        )
        made.success(None, js="() => setTimeout(photo2anime.post, 300)", api_visibility="private")
    return download, row, current


def _unchanged() -> list[Any]:
    return [gr.skip()] * 6


def _seen(shown: Shown) -> list[Any]:
    """What the page shows of a painted photo, in the order of `seen` above."""
    return [
        gr.ImageSlider((shown.before, shown.after), visible=True),
        gr.DownloadButton(value=shown.file or None, interactive=bool(shown.file)),
        shown.line,
        gr.HTML(visible=False),
        gr.Row(visible=True),
        shown,
    ]


def _sheet(css: str) -> str:
    return f"<style>{css}</style>" if css else ""


def _poster(page: Page, make: Callable[[Picture, Picture], bytes], name: str) -> Callable[[Shown | None], str]:
    def post(shown: Shown | None) -> str:
        return with_gradio_errors(lambda: handlers.post(page, shown, make, name))  # type: ignore[no-any-return]

    return post


def _photo_box(text: Text) -> gr.Image:
    """The photo input. It passes on the upload's path unchanged: only image_io decodes pictures."""
    photo = gr.Image(
        label=text.your_photo,
        type="filepath",
        image_mode=None,
        sources=["upload", "webcam", "clipboard"],
        height=270,
        elem_id="photo",
        buttons=["fullscreen"],
        placeholder=text.place,
    )
    photo.preprocess = path_of
    return photo
