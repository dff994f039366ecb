// Pictures turned and bent: bicubic, as Pillow's transformations sample.

import { clamp, quarterTurned, raster, type Point, type Raster } from "./raster";

/** A rectangle of the result and where its corners come from: top left, bottom left, bottom right, top right. */
export interface Patch {
  readonly box: readonly [number, number, number, number];
  readonly corners: readonly [Point, Point, Point, Point];
}

/** A square picture turned about its middle by degrees against the clock; what comes from outside is black. */
export function turned(of: Raster, degrees: number): Raster {
  const angle = ((degrees % 360) + 360) % 360;
  if (angle % 90 === 0) return quarterTurned(of, angle / 90);
  const radians = (-angle * Math.PI) / 180;
  const [cos, sin] = [digits15(Math.cos(radians)), digits15(Math.sin(radians))];
  const [midX, midY] = [of.width / 2, of.height / 2];
  const fromX = cos * -midX + sin * -midY + midX;
  const fromY = -sin * -midX + cos * -midY + midY;
  const result = raster(of.width, of.height, of.channels);
  for (let y = 0; y < of.height; y++) {
    for (let x = 0; x < of.width; x++) {
      const [u, v] = [x + 0.5, y + 0.5];
      sample(of, cos * u + sin * v + fromX, -sin * u + cos * v + fromY, result, x, y);
    }
  }
  return result;
}

/** A picture put together from patches of another, each bent to its rectangle. */
export function bent(of: Raster, width: number, height: number, patches: readonly Patch[]): Raster {
  const result = raster(width, height, of.channels);
  for (const { box, corners } of patches) {
    const [left, top, right, bottom] = box;
    const alongX = 1 / (right - left);
    const alongY = 1 / (bottom - top);
    const [x, y] = [0, 1].map((axis) => {
      const [topLeft, bottomLeft, bottomRight, topRight] = corners.map((corner) => corner[axis]!) as [number, number, number, number];
      return {
        start: topLeft,
        across: (topRight - topLeft) * alongX,
        down: (bottomLeft - topLeft) * alongY,
        both: (bottomRight - bottomLeft - topRight + topLeft) * alongX * alongY,
      };
    }) as [Ramp, Ramp];
    for (let j = top; j < bottom; j++) {
      for (let i = left; i < right; i++) {
        const [u, v] = [i - left + 0.5, j - top + 0.5];
        sample(of, at(x, u, v), at(y, u, v), result, i, j);
      }
    }
  }
  return result;
}

interface Ramp {
  readonly start: number;
  readonly across: number;
  readonly down: number;
  readonly both: number;
}

function at(ramp: Ramp, u: number, v: number): number {
  return ramp.start + ramp.across * u + ramp.down * v + ramp.both * u * v;
}

/** Sets a pixel of `into` to what lies at (fromX, fromY); leaves it black where that is outside. */
function sample(of: Raster, fromX: number, fromY: number, into: Raster, x: number, y: number): void {
  if (fromX < 0 || fromX >= of.width || fromY < 0 || fromY >= of.height) return;
  const left = Math.floor(fromX - 0.5);
  const top = Math.floor(fromY - 0.5);
  const [dx, dy] = [fromX - 0.5 - left, fromY - 0.5 - top];
  const { channels, width, height, data } = of;
  const cols = [-1, 0, 1, 2].map((i) => clamp(left + i, 0, width - 1) * channels) as [number, number, number, number];
  for (let c = 0; c < channels; c++) {
    const rows: number[] = [];
    for (let j = 0; j < 4; j++) {
      const row = top - 1 + j;
      if (j > 0 && (row < 0 || row >= height)) {
        rows.push(rows[j - 1]!);
        continue;
      }
      const base = clamp(row, 0, height - 1) * width * channels + c;
      const [a, b, d, e] = cols;
      rows.push(cubic(data[base + a]!, data[base + b]!, data[base + d]!, data[base + e]!, dx));
    }
    const value = cubic(rows[0]!, rows[1]!, rows[2]!, rows[3]!, dy);
    into.data[(y * into.width + x) * channels + c] = Math.trunc(clamp(value, 0, 255));
  }
}

function cubic(a: number, b: number, c: number, d: number, way: number): number {
  return b + way * (c - a + way * (2 * (a - b) + c - d + way * (b - a - c + d)));
}

function digits15(x: number): number {
  return Math.round(x * 1e15) / 1e15;
}
