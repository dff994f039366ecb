"""The page's sample photos, painted beforehand, so that a click on one answers at once."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from photo2anime.images.image_io import WriteOptions, read_image
from photo2anime.options import PaintOptions
from photo2anime.painting import compose
from photo2anime.types import Photo2AnimeError, Picture
from photo2anime.web.page.cards import card_css, telling_square
from photo2anime.web.server.paint_service import encoded
from photo2anime.web.server.services import Services

PHOTOS = Path(str(resources.files("photo2anime"))) / "web" / "page" / "photos"
NAMES = ("astronaut", "china", "coast", "coffee")
SHOWN = ("astronaut", "china")  # before and after on the page's right half: a portrait and a scene
_SHOWN_PX = 520
_SHOWN = WriteOptions(format="WEBP", quality=82, strip_metadata=True)


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample, painted in the page's default style. photo, painted: paths; cards: as card_css."""

    photo: str
    painted: str
    cards: str


class Samples:
    """Paints the samples in a thread of its own once `start` is called; `wait` has each when it is ready."""

    def __init__(self, services: Services, within: str) -> None:
        self.services, self.within = services, within
        self.files = [self._kept(f"{name}.jpg", (PHOTOS / f"{name}.jpg").read_bytes()) for name in NAMES]
        self._ready: list[Future[Sample]] = [Future() for _ in NAMES]

    def start(self) -> None:
        """Begins to paint."""
        threading.Thread(target=self._paint, name="samples", daemon=True).start()

    def wait(self, index: int) -> Sample:
        """The sample of that number. Raises Photo2AnimeError when it could not be painted."""
        return self._ready[index].result(timeout=60)

    def _paint(self) -> None:
        for file, ready in zip(self.files, self._ready, strict=True):
            try:
                ready.set_result(self._painted(file))
            except Exception as error:  # noqa: BLE001  whatever it is, whoever waits is told
                ready.set_exception(Photo2AnimeError(f"{file.name}: {error}"))

    def _painted(self, file: Path) -> Sample:
        service, style = self.services.paint_service, self.services.settings.style
        photo = read_image(file)
        result = encoded(service.paint(photo, PaintOptions(style)), WriteOptions())
        painted = str(self._kept(f"{file.stem}-{style}{result.suffix}", result.data))
        cards = card_css(service, telling_square(photo), service.styles(), self.within)
        return Sample(str(file), painted, cards)

    def _kept(self, name: str, data: bytes) -> Path:
        file = self.services.storage.write(name, data)
        self.services.storage.keep(file)
        return file


def before_and_after(services: Services, name: str) -> tuple[str, str]:
    """A sample and its painting in the page's default style, small, as data addresses."""
    photo = compose.shrink(read_image(PHOTOS / f"{name}.jpg"), _SHOWN_PX)
    painted = services.paint_service.paint(photo, PaintOptions(services.settings.style))
    return _data_address(photo), _data_address(painted)


def _data_address(picture: Picture) -> str:
    return f"data:image/webp;base64,{base64.b64encode(encoded(picture, _SHOWN).data).decode()}"
