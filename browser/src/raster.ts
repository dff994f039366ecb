// Pictures as plain arrays of bytes, and the arithmetic of Python and NumPy that whole pixels depend on.

/** Rows of pixels from the top left, channels of a pixel side by side: 3 (sRGB) or 1. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array;
}

/** A point or a corner, x before y, in pixels. */
export type Point = readonly [number, number];

export function raster(width: number, height: number, channels = 3): Raster {
  return { width, height, channels, data: new Uint8Array(width * height * channels) };
}

/** Rounded as Python's round does: halves to the even number. */
export function roundEven(x: number): number {
  const down = Math.floor(x);
  if (x - down !== 0.5) return Math.round(x);
  return down % 2 === 0 ? down : down + 1;
}

export function clamp(x: number, least: number, most: number): number {
  return x < least ? least : x > most ? most : x;
}

/** The part of a picture from (left, top) on, cut where the picture ends. */
export function cropped(of: Raster, left: number, top: number, width: number, height: number): Raster {
  const cut = raster(Math.min(width, of.width - left), Math.min(height, of.height - top), of.channels);
  const bytes = cut.width * of.channels;
  for (let y = 0; y < cut.height; y++) {
    const from = ((top + y) * of.width + left) * of.channels;
    cut.data.set(of.data.subarray(from, from + bytes), y * bytes);
  }
  return cut;
}

/** Puts a picture over another at (left, top), without what would lie outside. */
export function paste(over: Raster, from: Raster, left: number, top: number): void {
  const firstX = Math.max(0, -left);
  const lastX = Math.min(from.width, over.width - left);
  if (lastX <= firstX) return;
  for (let y = Math.max(0, -top); y < Math.min(from.height, over.height - top); y++) {
    const start = y * from.width;
    const row = from.data.subarray((start + firstX) * from.channels, (start + lastX) * from.channels);
    over.data.set(row, ((top + y) * over.width + left + firstX) * over.channels);
  }
}

/** The same picture turned by so many quarters against the clock. */
export function quarterTurned(of: Raster, quarters: number): Raster {
  const turns = ((quarters % 4) + 4) % 4;
  const { width, height, channels } = of;
  const turned = turns % 2 ? raster(height, width, channels) : raster(width, height, channels);
  for (let y = 0; y < turned.height; y++) {
    for (let x = 0; x < turned.width; x++) {
      const fromX = [x, width - 1 - y, width - 1 - x, y][turns]!;
      const fromY = [y, x, height - 1 - y, height - 1 - x][turns]!;
      const from = (fromY * width + fromX) * channels;
      turned.data.set(of.data.subarray(from, from + channels), (y * turned.width + x) * channels);
    }
  }
  return turned;
}

/** A picture grown on each side, its border repeated. */
export function edgePadded(of: Raster, left: number, top: number, right: number, bottom: number): Raster {
  const grown = raster(of.width + left + right, of.height + top + bottom, of.channels);
  for (let y = 0; y < grown.height; y++) {
    const row = clamp(y - top, 0, of.height - 1) * of.width;
    for (let x = 0; x < grown.width; x++) {
      const from = (row + clamp(x - left, 0, of.width - 1)) * of.channels;
      for (let c = 0; c < of.channels; c++) grown.data[(y * grown.width + x) * of.channels + c] = of.data[from + c]!;
    }
  }
  return grown;
}
