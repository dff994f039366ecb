// The networks: pixels into their range, tiles over a picture.

import type { Tensor } from "onnxruntime-web/wasm";

import { tiling, type Style } from "./constants";
import { clamp, cropped, paste, raster, type Raster } from "./raster";
import { run, tensorOf } from "./runtime";

/** A window that the network sees, and the part of its answer that is kept; (start, stop) in pixels of the picture. */
export interface Tile {
  readonly rows: Pair;
  readonly cols: Pair;
  readonly keepRows: Pair;
  readonly keepCols: Pair;
}
type Pair = readonly [number, number];

/** Called with the pixels that a network has just painted. */
export type OnPixels = (pixels: number) => void;

/** A batch of one in [-1, 1]. */
export function toBatch(rgb: Raster): Tensor {
  const pixels = rgb.width * rgb.height;
  const batch = new Float32Array(3 * pixels);
  const share = Math.fround(1 / 127.5);
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < pixels; i++) batch[c * pixels + i] = Math.fround(rgb.data[3 * i + c]! * share) - 1;
  }
  return tensorOf(batch, [1, 3, rgb.height, rgb.width]);
}

/** The picture of a batch of one, rounded and clipped; what is no number becomes 0. */
export function toImage(batch: Tensor): Raster {
  const [, , height, width] = batch.dims as [number, number, number, number];
  const values = batch.data as Float32Array;
  const image = raster(width, height);
  const pixels = width * height;
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < pixels; i++) image.data[3 * i + c] = clamp(values[c * pixels + i]! * 127.5 + 128, 0, 255);
  }
  return image;
}

/** The whole picture as the style's network paints it, without a grade, in windows that fit in memory. */
export async function drawn(photo: Raster, style: Style, onPixels: OnPixels): Promise<Raster> {
  const mean = style.mean_color ? meanColor(photo) : null;
  const tiles = plan(photo.height, photo.width, style, tileSide(photo.height, photo.width, style));
  const anime = raster(photo.width, photo.height);
  for (const { rows, cols, keepRows, keepCols } of tiles) {
    const window = cropped(photo, cols[0], rows[0], cols[1] - cols[0], rows[1] - rows[0]);
    const m = style.multiple_of;
    const padded = mirrored(window, nextMultiple(window.width, m), nextMultiple(window.height, m));
    const [answer] = await run(style.file, toBatch(padded), ...(mean ? [mean] : []));
    const [width, height] = [keepCols[1] - keepCols[0], keepRows[1] - keepRows[0]];
    const kept = cropped(toImage(answer!), keepCols[0] - cols[0], keepRows[0] - rows[0], width, height);
    paste(anime, kept, keepCols[0], keepRows[0]);
    onPixels(padded.width * padded.height);
  }
  return anime;
}

/** Tiles whose kept parts partition the picture, row by row. */
export function plan(height: number, width: number, style: Style, tilePx: number): Tile[] {
  const cols = spans(width, tilePx, style);
  return spans(height, tilePx, style).flatMap(([rows, keepRows]) =>
    cols.map(([seen, keepCols]) => ({ rows, cols: seen, keepRows, keepCols })),
  );
}

/** The window's side that suits a picture: the whole of it where memory is enough. */
export function tileSide(height: number, width: number, style: Style): number {
  if (height * width * style.bytes_per_px <= tiling.work_bytes) return Math.max(height, width);
  const m = style.multiple_of;
  const side = Math.floor(Math.sqrt(tiling.work_bytes / style.bytes_per_px) / m) * m;
  return Math.max(side, 2 * nextMultiple(style.halo, m) + 8 * m);
}

function spans(length: number, window: number, style: Style): [Pair, Pair][] {
  if (length <= window) return [[[0, length], [0, length]]];
  const m = style.multiple_of;
  const halo = nextMultiple(style.halo, m);
  const step = Math.floor((window - 2 * halo) / m) * m;
  return Array.from({ length: Math.ceil(length / step) }, (_, i) => {
    const [start, stop] = [i * step, Math.min((i + 1) * step, length)];
    return [[Math.max(0, start - halo), Math.min(length, stop + halo)], [start, stop]];
  });
}

/** Grown at the right and bottom: mirrored as far as the picture goes, then repeated. */
function mirrored(of: Raster, width: number, height: number): Raster {
  if (width === of.width && height === of.height) return of;
  const grown = raster(width, height);
  const [cols, rows] = [mirror(of.width, width), mirror(of.height, height)];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (rows[y]! * of.width + cols[x]!) * 3;
      for (let c = 0; c < 3; c++) grown.data[(y * width + x) * 3 + c] = of.data[from + c]!;
    }
  }
  return grown;
}

function mirror(size: number, wanted: number): number[] {
  return Array.from({ length: wanted }, (_, i) => (i < size ? i : Math.max(0, 2 * (size - 1) - i)));
}

function meanColor(rgb: Raster): Tensor {
  const sums = [0, 0, 0];
  for (let i = 0; i < rgb.data.length; i++) sums[i % 3]! += rgb.data[i]!;
  const pixels = rgb.width * rgb.height;
  const mean = Float32Array.from(sums, (sum) => Math.fround(Math.fround(sum / pixels) / 127.5) - 1);
  return tensorOf(mean, [1, 3]);
}

function nextMultiple(size: number, m: number): number {
  return Math.ceil(size / m) * m;
}
