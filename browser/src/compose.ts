// Photos drawn smaller and laid out larger by a network that keeps lines sharp; as painting/compose.py and enlarge.py.

import { enlarge } from "./constants";
import { toBatch, toImage, type OnPixels } from "./network";
import { cropped, paste, raster, roundEven, type Raster } from "./raster";
import { resized } from "./resample";
import { run } from "./runtime";

export type Draw = (photo: Raster) => Promise<Raster>;

/** The size a photo is drawn at for a longer side of longerPx; of a long strip twice the shorter side counts. */
export function drawnSize(width: number, height: number, longerPx: number): [number, number] {
  const longer = Math.max(height, width);
  const counted = Math.min(longer, 2 * Math.min(height, width));
  if (!(longerPx > 0 && longerPx < counted)) return [width, height];
  const scale = roundEven((longer * longerPx) / counted) / longer;
  return scale >= 1 ? [width, height] : [Math.max(1, roundEven(width * scale)), Math.max(1, roundEven(height * scale))];
}

/** What draw makes of the photo at that size, at its own size again. */
export async function drawnSmaller(photo: Raster, longerPx: number, draw: Draw, onPixels: OnPixels): Promise<Raster> {
  const [width, height] = drawnSize(photo.width, photo.height, longerPx);
  if (width === photo.width && height === photo.height) return draw(photo);
  return enlarged(await draw(resized(photo, width, height, "lanczos")), photo.width, photo.height, onPixels);
}

/** A drawing at another size: doubled by the network, up to twice; the rest is Lanczos. */
export async function enlarged(rgb: Raster, width: number, height: number, onPixels: OnPixels): Promise<Raster> {
  let drawing = rgb;
  for (let i = 0; i < enlarge.most_doublings; i++) {
    if (height >= enlarge.doubled_from * drawing.height) drawing = await doubled(drawing, onPixels);
  }
  return resized(drawing, width, height, "lanczos");
}

/** How many pixels the enlarging network will have to paint. */
export function pixelsToDouble(from: number, pixels: number, to: number): number {
  let [height, all, sum] = [from, pixels, 0];
  for (let i = 0; i < enlarge.most_doublings && to >= enlarge.doubled_from * height; i++) {
    sum += all;
    [height, all] = [2 * height, 4 * all];
  }
  return sum;
}

async function doubled(rgb: Raster, onPixels: OnPixels): Promise<Raster> {
  const larger = raster(2 * rgb.width, 2 * rgb.height);
  for (let first = 0; first < rgb.height; first += enlarge.strip_rows) {
    const last = Math.min(first + enlarge.strip_rows, rgb.height);
    const top = Math.max(first - enlarge.reach, 0);
    const bottom = Math.min(last + enlarge.reach, rgb.height);
    const [answer] = await run(enlarge.network, toBatch(cropped(rgb, 0, top, rgb.width, bottom - top)));
    const strip = cropped(toImage(answer!), 0, 2 * (first - top), larger.width, 2 * (last - first));
    paste(larger, strip, 0, 2 * first);
    onPixels(rgb.width * (last - first));
  }
  return larger;
}
