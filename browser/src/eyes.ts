// Larger eyes for portraits in version 1: the photo's are enlarged before it is painted; as painting/eyes.py.

import { bent, type Patch } from "./bend";
import { eyes } from "./constants";
import { clamp, paste, roundEven, type Point, type Raster } from "./raster";

/** The face with what lies around each eye enlarged, smoothly less further out. */
export function eyesEnlarged(face: Raster, [right, left]: readonly [Point, Point]): Raster {
  const radius = eyes.reach * Math.hypot(left[0] - right[0], left[1] - right[1]);
  if (radius < 1) return face;
  const side = 2 * Math.ceil(radius);
  const result: Raster = { ...face, data: face.data.slice() };
  for (const [x, y] of [right, left]) {
    const corner: Point = [roundEven(x) - side / 2, roundEven(y) - side / 2];
    paste(result, bent(result, side, side, patches(corner, side, [x, y], radius)), ...corner);
  }
  return result;
}

/** A grid over the square, and from where in the face each of its corners comes. */
function patches([left, top]: Point, side: number, [x, y]: Point, radius: number): Patch[] {
  const cells = Math.min(eyes.most_cells, Math.floor(side / 2));
  const edges = Array.from({ length: cells + 1 }, (_, i) => roundEven((side * i) / cells));
  const source = (row: number, col: number): Point => {
    const [across, down] = [edges[col]! + left - x, edges[row]! + top - y];
    const near = clamp(1 - (across ** 2 + down ** 2) / radius ** 2, 0, 1) ** 2;
    const kept = 1 - (1 - 1 / eyes.larger) * near;
    return [x + kept * across, y + kept * down];
  };
  const numbers = Array.from({ length: cells }, (_, i) => i);
  return numbers.flatMap((i) =>
    numbers.map((j) => ({
      box: [edges[j]!, edges[i]!, edges[j + 1]!, edges[i + 1]!] as const,
      corners: [source(i, j), source(i + 1, j), source(i + 1, j + 1), source(i, j + 1)] as const,
    })),
  );
}
