"""Makes the small photos of the web page, src/photo2anime/web/page/photos/, from examples/."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent
NAMES = ("china", "coast", "astronaut", "coffee")
LONGER_SIDE = 720

if __name__ == "__main__":
    for name in NAMES:
        photo = Image.open(ROOT / "examples" / f"{name}.jpg").convert("RGB")
        photo.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
        target = ROOT / "src" / "photo2anime" / "web" / "page" / "photos" / f"{name}.jpg"
        photo.save(target, quality=72, optimize=True, progressive=True)
        print(f"{target.name}  {photo.width}x{photo.height}  {target.stat().st_size} bytes")
