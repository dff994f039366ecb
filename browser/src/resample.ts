// Changes of size as Pillow makes them: two passes, coefficients in fixed point, 8 bits between the passes.

import { clamp, raster, type Raster } from "./raster";

export type Filter = "box" | "bilinear" | "bicubic" | "lanczos";

interface Kernel {
  readonly reach: number;
  readonly at: (x: number) => number;
}

/** What each new pixel is made of: taps[i] old ones from first[i] on, weighted by weights[i * most ..]. */
interface Recipe {
  readonly first: Int32Array;
  readonly taps: Int32Array;
  readonly most: number;
  readonly weights: Float64Array;
}

/** The old pixels (from, to) along one axis that the new ones show; whole ones or parts. */
export type Span = readonly [number, number];

const FIXED_BITS = 22; // 32 less 8 of the pixel and 2 for filters that go below 0 and past 1

const KERNELS: Record<Filter, Kernel> = {
  box: { reach: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { reach: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { reach: 2, at: cubic },
  lanczos: { reach: 3, at: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** The picture at another size. Spans: what of it is shown, all of it unless said. */
export function resized(of: Raster, width: number, height: number, filter: Filter, spanX?: Span, spanY?: Span): Raster {
  let data = of.data;
  if (width !== of.width || spanX) {
    const recipe = fixed(recipeOf(of.width, width, filter, spanX));
    data = along(data, new Uint8Array(width * of.height * of.channels), of.height, of.width, of.channels, recipe);
  }
  if (height !== of.height || spanY) {
    const recipe = fixed(recipeOf(of.height, height, filter, spanY));
    data = along(data, new Uint8Array(width * height * of.channels), 1, of.height, width * of.channels, recipe);
  }
  return { width, height, channels: of.channels, data };
}

/** The same of single floats, which are not rounded: (height, width) values -> (newHeight, newWidth). */
export function resizedFloats(
  of: Float32Array,
  width: number,
  height: number,
  newWidth: number,
  newHeight: number,
  filter: Filter,
): Float32Array {
  const wide =
    newWidth === width
      ? of
      : along(of, new Float32Array(newWidth * height), height, width, 1, recipeOf(width, newWidth, filter));
  if (newHeight === height) return wide;
  return along(wide, new Float32Array(newWidth * newHeight), 1, height, newWidth, recipeOf(height, newHeight, filter));
}

/** Shrunk by whole factors, each new pixel the mean of a rectangle; at the right and bottom of what is left of one. */
export function reduced(of: Raster, factorX: number, factorY = factorX): Raster {
  if (factorX === 1 && factorY === 1) return of;
  const small = raster(Math.ceil(of.width / factorX), Math.ceil(of.height / factorY), of.channels);
  for (let y = 0; y < small.height; y++) {
    const rows = Math.min(factorY, of.height - y * factorY);
    for (let x = 0; x < small.width; x++) {
      const cols = Math.min(factorX, of.width - x * factorX);
      const share = Math.floor(2 ** 24 / (rows * cols)); // Pillow divides by multiplying
      for (let c = 0; c < of.channels; c++) {
        let sum = (rows * cols) >> 1;
        for (let j = 0; j < rows; j++) {
          const row = ((y * factorY + j) * of.width + x * factorX) * of.channels + c;
          for (let i = 0; i < cols; i++) sum += of.data[row + i * of.channels]!;
        }
        small.data[(y * small.width + x) * of.channels + c] = Math.floor((sum * share) / 2 ** 24);
      }
    }
  }
  return small;
}

function recipeOf(length: number, newLength: number, filter: Filter, span: Span = [0, length]): Recipe {
  const [from, to] = [Math.fround(span[0]), Math.fround(span[1])];
  const step = (to - from) / newLength;
  const stretch = Math.max(step, 1);
  const kernel = KERNELS[filter];
  const reach = kernel.reach * stretch;
  const most = Math.ceil(reach) * 2 + 1;
  const recipe: Recipe = {
    first: new Int32Array(newLength),
    taps: new Int32Array(newLength),
    most,
    weights: new Float64Array(newLength * most),
  };
  for (let i = 0; i < newLength; i++) {
    const center = from + (i + 0.5) * step;
    const first = Math.max(0, Math.trunc(center - reach + 0.5));
    const taps = Math.min(length, Math.trunc(center + reach + 0.5)) - first;
    let sum = 0;
    for (let k = 0; k < taps; k++) {
      const weight = kernel.at((k + first - center + 0.5) * (1 / stretch));
      recipe.weights[i * most + k] = weight;
      sum += weight;
    }
    if (sum !== 0) for (let k = 0; k < taps; k++) recipe.weights[i * most + k]! /= sum;
    recipe.first[i] = first;
    recipe.taps[i] = taps;
  }
  return recipe;
}

function fixed(recipe: Recipe): Recipe {
  const weights = recipe.weights.map((weight) => Math.trunc(weight * 2 ** FIXED_BITS + (weight < 0 ? -0.5 : 0.5)));
  return { ...recipe, weights };
}

/** One pass: data is (outer, length, inner), and `into` (outer, as many as the recipe says, inner). */
function along<T extends Uint8Array | Float32Array>(
  data: T,
  into: T,
  outer: number,
  length: number,
  inner: number,
  recipe: Recipe,
): T {
  const whole = into instanceof Uint8Array;
  const half = whole ? 2 ** (FIXED_BITS - 1) : 0;
  const { first, taps, weights, most } = recipe;
  const count = first.length;
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < count; i++) {
      const from = (o * length + first[i]!) * inner;
      const to = (o * count + i) * inner;
      const tap = taps[i]!;
      const base = i * most;
      for (let c = 0; c < inner; c++) {
        let sum = half;
        for (let k = 0, at = from + c; k < tap; k++, at += inner) sum += data[at]! * weights[base + k]!;
        into[to + c] = whole ? clamp(sum >> FIXED_BITS, 0, 255) : sum;
      }
    }
  }
  return into;
}

function cubic(x: number): number {
  const a = -0.5;
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}
