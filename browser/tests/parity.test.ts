// What the package makes of small pictures (scripts/browser_fixtures.py), byte for byte.

import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { bent, turned } from "../src/bend";
import { gaussianBlurred } from "../src/blur";
import { blended, colorKept } from "../src/colors";
import { STYLES } from "../src/constants";
import { eyesEnlarged } from "../src/eyes";
import { graded } from "../src/grades";
import { plan } from "../src/network";
import { Square } from "../src/portraits";
import { quarterTurned, roundEven, type Raster } from "../src/raster";
import { reduced, resized, resizedFloats } from "../src/resample";
import fixtures from "./fixtures.json";

interface Packed {
  readonly width: number;
  readonly height: number;
  readonly data: string;
}

function unpacked({ width, height, data }: Packed): Raster {
  return { width, height, channels: 3, data: new Uint8Array(Buffer.from(data, "base64")) };
}

/** The largest difference of any byte. */
function apart(a: Raster, b: Packed): number {
  const other = unpacked(b);
  expect([a.width, a.height]).toEqual([other.width, other.height]);
  return a.data.reduce((most, value, i) => Math.max(most, Math.abs(value - other.data[i]!)), 0);
}

const photo = unpacked(fixtures.photo);
const square = unpacked(fixtures.square);
const large = unpacked(fixtures.large);

test("Lanczos, at every size", () => {
  for (const expected of fixtures.lanczos) {
    expect(apart(resized(photo, expected.width, expected.height, "lanczos"), expected)).toBe(0);
  }
});

test("box, and bilinear after whole factors", () => {
  expect(apart(resized(photo, 7, 5, "box"), fixtures.box)).toBe(0);
  const { width, height } = fixtures.shrunk;
  const small = reduced(large, 2, 2);
  expect(apart(resized(small, width, height, "bilinear", [0, 105], [0, 75]), fixtures.shrunk)).toBe(0);
});

test("floats", () => {
  const { values, broad } = fixtures.floats;
  const cells = resizedFloats(Float32Array.from(values), 31, 23, 6, 6, "box");
  resizedFloats(cells, 6, 6, 31, 23, "bicubic").forEach((value, i) => expect(value).toBeCloseTo(broad[i]!, 3));
});

test("blurring", () => {
  [1.11, 2.5, 7.3].forEach((sigma, i) => expect(apart(gaussianBlurred(photo, sigma), fixtures.blurred[i]!)).toBe(0));
});

test("turning", () => {
  expect(apart(turned(square, 33.3), fixtures.turned[0]!)).toBe(0);
  expect(apart(turned(square, 90), fixtures.turned[1]!)).toBe(0);
  expect(quarterTurned(quarterTurned(photo, 1), -1)).toEqual(photo);
});

test("bending", () => {
  const whole = { box: [0, 0, 41, 41], corners: [[0, 0], [0, 41], [41, 41], [41, 0]] } as const;
  expect(bent(square, 41, 41, [whole])).toEqual(square);
  expect(apart(eyesEnlarged(square, [[13.2, 15.7], [27.9, 12.4]]), fixtures.eyes)).toBe(0);
});

test("the films' colours", () => {
  for (const [name, expected] of Object.entries(fixtures.graded)) {
    const table = new Int16Array(readFileSync(`public/grades/${name}.bin`).buffer.slice(0));
    expect(apart(graded(large, name, table), expected), name).toBe(0);
  }
});

test("the photo's colours kept, and strength", () => {
  const other = unpacked(fixtures.other);
  expect(apart(colorKept(photo, other), fixtures.kept)).toBe(0);
  expect(apart(blended(photo, other, 0.35), fixtures.blended)).toBe(0);
  expect(blended(photo, other, 1)).toBe(other);
});

test("tiles", () => {
  const tiles = plan(1200, 900, STYLES["cel"]!, 800);
  expect(tiles.map((tile) => [...tile.rows, ...tile.cols, ...tile.keepRows, ...tile.keepCols])).toEqual(fixtures.tiles);
});

test("the square of a turned face", () => {
  const landmarks = [[70, 70], [105, 82], [85, 95], [65, 110], [96, 120]] as const;
  const { left, top, reach, side, turn } = new Square({ box: [40, 30, 130, 140], landmarks, score: 0.9 });
  expect([left, top, reach]).toEqual(fixtures.square_of.slice(0, 3));
  expect(side).toBeCloseTo(fixtures.square_of[3]!, 9);
  expect(turn).toBeCloseTo(fixtures.square_of[4]!, 9);
});

test("rounding, as Python's", () => {
  expect([0.5, 1.5, 2.5, -0.5, 2.4, 2.6].map(roundEven)).toEqual([0, 2, 2, 0, 2, 3]);
});
