"""Every text of the page, in each language: texts/CODE.toml holds them."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib import resources

from photo2anime.types import StyleCard

LANGUAGES = ("en", "zh", "ja", "ko", "es")  # the first is spoken at /, the others at /CODE/


@dataclass(frozen=True, slots=True)
class Text:
    """The page in one language. {…} are filled in by the handlers. language: its code; tag: as HTML's lang wants it."""

    language: str
    language_name: str
    tag: str
    title: str
    subtitle: str
    privacy: str
    theme: str
    photo_tab: str
    video_tab: str
    several_tab: str
    your_photo: str
    examples: str
    style: str
    more: str
    strength: str
    strength_info: str
    keep_color: str
    keep_color_info: str
    faces: str
    faces_info: str
    faces_auto: str
    faces_off: str
    faces_v1: str
    faces_v2: str
    lines: str
    lines_info: str
    lines_fine: str
    lines_medium: str
    lines_broad: str
    submit: str
    result: str
    download: str
    done: str
    photos: str
    folder: str
    paint_all: str
    cancel: str
    cancelled: str
    zip: str
    previews: str
    count: str
    your_video: str
    stills: str
    stills_button: str
    paint_video: str
    video_result: str
    time_left: str
    no_photo: str
    no_photos: str
    no_video: str
    not_a_picture: str
    too_many_pixels: str
    too_many_bytes: str
    too_many_photos: str
    busy: str
    too_slow: str
    too_often: str
    stopping: str
    out_of_memory: str
    disk_full: str
    empty_file: str
    damaged: str
    not_a_video: str
    wrong_kind: str
    not_playable: str
    no_answer: str
    notice: str
    failed: str
    portrait_v1: str
    portrait_v2: str
    place: str
    about_hayao: str
    about_shinkai: str
    about_paprika: str
    about_cel: str
    about_portrait_v1: str
    about_portrait_v2: str
    about_older: str
    about_other: str
    free: str
    not_free: str
    copy: str
    share: str
    post_picture: str
    post_video: str
    visit: str
    preview_line: str
    shown_before: str
    shown_after: str
    retry: str
    waiting: str
    painting: str
    ready: str
    trim_start: str
    trim_end: str
    languages: str
    ask_token: str
    enter: str
    copied: str
    face_strength: str

    @property
    def root(self) -> str:
        """What the page's addresses begin with: "" or "/CODE"."""
        return "" if self.language == LANGUAGES[0] else f"/{self.language}"


def _read(language: str) -> Text:
    file = resources.files("photo2anime").joinpath(f"web/texts/{language}.toml")
    return Text(language=language, **tomllib.loads(file.read_text(encoding="utf-8")))


TEXTS = {language: _read(language) for language in LANGUAGES}
ROOTS = rf"(?:/(?:{'|'.join(LANGUAGES[1:])}))?"  # a regular expression for what addresses of a page begin with
ENGLISH, CHINESE = TEXTS["en"], TEXTS["zh"]


def text_at(path: str) -> Text:
    """The language of the page that an address belongs to, without the server's own root path."""
    code = path.removeprefix("/").split("/", 1)[0]
    return TEXTS.get(code, ENGLISH)


def preferred(accept_language: str) -> Text:
    """The first language of a browser's Accept-Language that is spoken here; English when there is none."""
    for part in accept_language.lower().split(","):
        code = re.split("[-;]", part.strip())[0]
        if code in TEXTS:
            return TEXTS[code]
    return ENGLISH


def style_label(name: str, text: Text) -> str:
    """What a style is called."""
    labels = {"portrait-v1": text.portrait_v1, "portrait-v2": text.portrait_v2}
    return labels.get(name, name.replace("-", " ").capitalize())


def card_text(card: StyleCard, text: Text) -> str:
    """Three lines for a style's card: its name, what it looks like, what may be done with its pictures."""
    fallback = text.about_older if card.name.endswith("-v2") else text.about_other
    about = getattr(text, f"about_{card.name.replace('-', '_')}", fallback)
    return "\n".join((style_label(card.name, text), about, text.free if card.free else text.not_free))
