// Colours of whole pictures: mixtures, brightness, and the photo's own colours kept; as Pillow reckons them.

import { clamp, type Raster } from "./raster";

const BITS = 6; // of JPEG's colour space in Pillow's tables

/** Anime at strength 1, the photo at 0, a mixture between. */
export function blended(photo: Raster, anime: Raster, strength: number): Raster {
  if (strength === 1) return anime;
  const data = new Uint8Array(anime.data.length);
  const share = Math.fround(strength);
  for (let i = 0; i < data.length; i++) {
    data[i] = Math.fround(photo.data[i]! + Math.fround(share * (anime.data[i]! - photo.data[i]!)));
  }
  return { ...anime, data };
}

/** The brightness of anime with the hue and chroma of the photo (YCbCr of JPEG). */
export function colorKept(photo: Raster, anime: Raster): Raster {
  const data = new Uint8Array(anime.data.length);
  const [red, greenOfBlue, greenOfRed, blue] = [1.402, -0.34414, -0.71414, 1.772].map((k) => table(k, -128)) as Tables;
  for (let i = 0; i < data.length; i += 3) {
    const y = clamp(weighted(anime.data, i, LUMA) >> BITS, 0, 255);
    const cb = clamp((weighted(photo.data, i, BLUENESS) >> BITS) + 128, 0, 255);
    const cr = clamp((weighted(photo.data, i, REDNESS) >> BITS) + 128, 0, 255);
    data[i] = clamp(y + (red[cr]! >> BITS), 0, 255);
    data[i + 1] = clamp(y + ((greenOfBlue[cb]! + greenOfRed[cr]!) >> BITS), 0, 255);
    data[i + 2] = clamp(y + (blue[cb]! >> BITS), 0, 255);
  }
  return { ...anime, data };
}

/** Brightness of one pixel in whole levels, as Pillow's mode L. */
export function gray(data: Uint8Array, i: number): number {
  return (data[i]! * 19595 + data[i + 1]! * 38470 + data[i + 2]! * 7471 + 0x8000) >> 16;
}

type Tables = [Int32Array, Int32Array, Int32Array, Int32Array];

const LUMA = [0.299, 0.587, 0.114].map((k) => table(k, 0));
const BLUENESS = [-0.16874, -0.33126, 0.5].map((k) => table(k, 0));
const REDNESS = [0.5, -0.41869, -0.08131].map((k) => table(k, 0));

function weighted(data: Uint8Array, i: number, tables: readonly Int32Array[]): number {
  return tables[0]![data[i]!]! + tables[1]![data[i + 1]!]! + tables[2]![data[i + 2]!]!;
}

/** k times each byte, in fixed point, rounded as Pillow's tables are: those below 0 upwards. */
function table(k: number, offset: number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, i) => Math.trunc(k * (i + offset) * 2 ** BITS + 0.5));
}
