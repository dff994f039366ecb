// Blurring as Pillow does: three boxes of a fractional radius stand for a Gaussian.

import { raster, type Raster } from "./raster";

const PASSES = 3;
const f = Math.fround; // Pillow reckons the radius in single precision

export function gaussianBlurred(of: Raster, sigma: number): Raster {
  const radius = boxRadius(f(sigma));
  if (radius === 0) return of;
  return transposed(boxBlurred(transposed(boxBlurred(of, radius)), radius));
}

/** The radius of the box that, applied three times, spreads as far as the Gaussian (Gwosdek and others, 2011). */
function boxRadius(sigma: number): number {
  const variance = f(f(sigma * sigma) / PASSES);
  const length = f(Math.sqrt(12 * variance + 1));
  const whole = Math.floor((length - 1) / 2);
  const part = f(f(f(2 * whole + 1) * f(f(whole * (whole + 1)) - f(3 * variance))));
  return f(whole + f(part / f(6 * f(variance - f((whole + 1) * (whole + 1))))));
}

/** Rows blurred by the box, three times. Pixels past the border repeat it. */
function boxBlurred(of: Raster, radius: number): Raster {
  const whole = Math.trunc(radius);
  const share = Math.trunc(f(2 ** 24 / f(radius * 2 + 1)));
  const shareOfEnds = Math.trunc((2 ** 24 - (whole * 2 + 1) * share) / 2);
  let from = of.data;
  for (let pass = 0; pass < PASSES; pass++) {
    const into = new Uint8Array(from.length);
    for (let y = 0; y < of.height; y++) {
      for (let c = 0; c < of.channels; c++) {
        blurRow(from, into, (y * of.width * of.channels + c), of.width, of.channels, whole, share, shareOfEnds);
      }
    }
    from = into;
  }
  return { ...of, data: from };
}

function blurRow(
  from: Uint8Array,
  into: Uint8Array,
  start: number,
  width: number,
  step: number,
  radius: number,
  share: number,
  shareOfEnds: number,
): void {
  const last = width - 1;
  const at = (x: number): number => from[start + (x < 0 ? 0 : x > last ? last : x) * step]!;
  let sum = 0;
  for (let x = -radius - 1; x < radius; x++) sum += at(x); // what the box holds one pixel before the row begins
  for (let x = 0; x < width; x++) {
    sum += at(x + radius) - at(x - radius - 1);
    const bulk = sum * share + (at(x - radius - 1) + at(x + radius + 1)) * shareOfEnds;
    into[start + x * step] = Math.floor((bulk + 2 ** 23) / 2 ** 24);
  }
}

function transposed(of: Raster): Raster {
  const turned = raster(of.height, of.width, of.channels);
  for (let y = 0; y < of.height; y++) {
    for (let x = 0; x < of.width; x++) {
      for (let c = 0; c < of.channels; c++) {
        turned.data[(x * of.height + y) * of.channels + c] = of.data[(y * of.width + x) * of.channels + c]!;
      }
    }
  }
  return turned;
}
