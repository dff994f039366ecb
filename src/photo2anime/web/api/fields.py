"""The fields of POST /api/paint. Those of PaintOptions have its names, and the limits of the command's flags."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from photo2anime.images.image_io import FORMATS, WriteOptions
from photo2anime.options import PaintOptions
from photo2anime.types import FaceChoice, LineWeight


class PaintFields(BaseModel):
    """What a painting can be asked for."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"additionalProperties": False})

    style: Annotated[str, Field(max_length=100, description="one of GET /api/styles")] = "hayao"
    strength: Annotated[float, Field(ge=0, le=1, description="1 is the full style, 0 the photo")] = 1.0
    keep_color: Annotated[bool, Field(description="keep the photo's own colours")] = False
    faces: Annotated[
        FaceChoice, Field(description="paint each face as a portrait: by its size, not at all, or all in one version")
    ] = "auto"
    lines: Annotated[LineWeight, Field(description="how thick lines are in the picture")] = "medium"
    side_by_side: Annotated[bool, Field(description="photo and result in one picture")] = False
    max_side: Annotated[int | None, Field(ge=1, le=100_000, description="shrink larger photos first, pixels")] = None
    format: Annotated[
        Literal["png", "jpg", "webp", "avif", "jxl", "tiff", "bmp"] | None,
        Field(description="default: the photo's own; jxl where this server has it"),
    ] = None
    quality: Annotated[int | None, Field(ge=1, le=100, description="of JPEG, WebP, AVIF and JPEG XL")] = None
    strip_metadata: Annotated[bool, Field(description="no EXIF, GPS position or XMP in the result")] = False

    def options(self) -> PaintOptions:
        """How to paint."""
        shared = self.model_dump(include={field.name for field in fields(PaintOptions)})
        return PaintOptions(**shared | {"style": self.style.lower()})

    def write(self) -> WriteOptions:
        """How to encode."""
        return WriteOptions(
            format=FORMATS[f".{self.format}"] if self.format else None,
            quality=self.quality,
            strip_metadata=self.strip_metadata,
        )
