// One photo painted in a style, as the package's Stylizer.paint_picture does it.

import { blended, colorKept } from "./colors";
import { drawnSize, drawnSmaller, pixelsToDouble } from "./compose";
import { stylizer, STYLES, type Look, type Style } from "./constants";
import { graded, tableOf } from "./grades";
import { drawn } from "./network";
import { facesPainted, findSitters, pixelsOfFaces, portraitPx, wholePortrait } from "./portraits";
import { roundEven, type Raster } from "./raster";
import { isOnCard } from "./runtime";

/** How much is done, and of how much, in units that take about equally long. */
export type OnProgress = (done: number, total: number) => void;

const DOUBLING_COST = 0.5; // of painting a pixel by the scenery's network
const DETECTION = 3e5; // finding faces takes as long as so many pixels

/** The photo in the style: (width, height) -> the same. */
export async function painted(photo: Raster, name: string, look: Look, onProgress: OnProgress): Promise<Raster> {
  const style = look.fast ? faster(STYLES[name]!) : STYLES[name]!;
  let [done, total] = [0, photo.width * photo.height];
  const step = (work: number): void => onProgress((done += work), Math.max(done, total));
  const onPixels = (pixels: number): void => step(pixels);
  const sitters = await findSitters(photo, look.faces, name);
  const sidePx = roundEven(style.max_side * stylizer.of_medium[look.lines]);
  const whole = portraitPx(photo, sitters);
  total = DETECTION + workOf(photo, whole || sidePx) + (whole ? 0 : pixelsOfFaces(sitters));
  step(DETECTION);
  let anime: Raster;
  if (whole) {
    anime = await wholePortrait(photo, sitters, onPixels);
  } else {
    anime = await drawnSmaller(photo, sidePx, (small) => drawn(small, style, onPixels), (n) => step(n * DOUBLING_COST));
    anime = await facesPainted(photo, anime, sitters, onPixels);
  }
  if (style.grade) anime = graded(anime, style.grade, await tableOf(style.grade));
  if (look.keepColor) anime = colorKept(photo, anime);
  return blended(photo, anime, look.strength);
}

/** A small picture, of the camera, by the faster network and the grade alone: no faces are looked for. */
export async function sketched(photo: Raster, name: string): Promise<Raster> {
  const style = faster(STYLES[name]!);
  const anime = await drawn(photo, style, () => undefined);
  return style.grade ? graded(anime, style.grade, await tableOf(style.grade)) : anime;
}

/** The same style by its network for video, a smaller one, where it has one and no graphics card paints. */
function faster(style: Style): Style {
  return isOnCard(style.file) ? style : { ...style, file: style.fast_file ?? style.file };
}

function workOf(photo: Raster, longerPx: number): number {
  const [width, height] = drawnSize(photo.width, photo.height, longerPx);
  if (height === photo.height) return width * height;
  return width * height + DOUBLING_COST * pixelsToDouble(height, width * height, photo.height);
}
