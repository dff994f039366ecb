"""The pictures on the style cards: a photo's most telling square, small, in every style."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import replace

from photo2anime.images.image_io import WriteOptions
from photo2anime.options import PaintOptions
from photo2anime.painting import compose
from photo2anime.painting.faces import find_faces
from photo2anime.types import Picture
from photo2anime.web.server.paint_service import PaintService, encoded

_CARD_PX = 160
_PAINTED_PX = 288  # painted larger than it is shown: at 160 pixels nothing is drawn
_SEARCHED_PX = 640
_HEAD = 2.4  # side of the square over that of the face in it
_CARD = WriteOptions(format="WEBP", quality=78, strip_metadata=True)


def card_css(
    service: PaintService, square: Picture, styles: Iterable[str], within: str, check: Callable[[], None] = lambda: None
) -> str:
    """A style sheet that puts a photo's square, painted in each of the styles, on its card in the element `within` (a
    CSS selector). check: called between styles; may raise to stop. Raises Photo2AnimeError when one cannot paint.
    """
    rules = []
    for style in styles:
        check()
        small = compose.shrink(service.paint(square, PaintOptions(style)), _CARD_PX)
        data = base64.b64encode(encoded(small, _CARD).data).decode()
        card = f'{within} label:has(input[value="{style}"])::before'
        rules.append(f"{card} {{ background-image: url(data:image/webp;base64,{data}) }}")
    return "\n".join(rules)


def telling_square(photo: Picture) -> Picture:
    """A square around the photo's largest face, else its middle, at the size cards are painted at."""
    height, width = photo.rgb.shape[:2]
    photo = compose.shrink(photo, max(_SEARCHED_PX, _PAINTED_PX * max(height, width) // min(height, width)))
    height, width = photo.rgb.shape[:2]
    side, middle = min(height, width), (width / 2, height / 2)
    face = max(find_faces(photo.rgb), key=lambda face: face.side, default=None)
    if face is not None:
        side = min(side, round(_HEAD * face.side))
        middle = ((face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2)
    left = round(min(max(middle[0] - side / 2, 0), width - side))
    top = round(min(max(middle[1] - side / 2, 0), height - side))
    square = replace(photo, rgb=photo.rgb[top : top + side, left : left + side].copy(), alpha=None)
    return compose.shrink(square, _PAINTED_PX)
