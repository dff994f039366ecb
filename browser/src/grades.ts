// A film's colours over a drawing: its curves in CIELAB become a table of 33x33x33 colours; as painting/grades.py.

import { gaussianBlurred } from "./blur";
import { gray } from "./colors";
import { GRADES, grading, type Band, type Grade } from "./constants";
import { clamp, cropped, roundEven, type Raster } from "./raster";
import { reduced, resized } from "./resample";

type Lab = [number, number, number];
type Matrix = readonly (readonly number[])[];

const SIDE = grading.table;
const ANGLES = Object.values(grading.hues);
const XYZ: Matrix = grading.to_xyz;
const RGB = inverse(XYZ);
const tables = new Map<string, Int16Array>();

/** The drawing in the colours of the grade of that name. */
export function graded(drawn: Raster, name: string): Raster {
  const grade = GRADES[name]!;
  const table = tableOf(name);
  const result = looked(drawn, table);
  if (!grade.glow) return result;
  const light = lightOf(drawn, table);
  for (let top = 0; top < drawn.height; top += grading.strip_rows) {
    light.shineOn(cropped(result, 0, top, drawn.width, grading.strip_rows), top, grade.glow, result);
  }
  return result;
}

/** Every pixel through the table, mixed from the eight colours around it in fixed point, as Pillow does. */
function looked(of: Raster, table: Int16Array): Raster {
  const data = new Uint8Array(of.data.length);
  const step = Math.trunc(((SIDE - 1) / 255) * 2 ** 18);
  for (let i = 0; i < data.length; i += 3) {
    const [r, g, b] = [of.data[i]! * step, of.data[i + 1]! * step, of.data[i + 2]! * step];
    const corner = 3 * ((r >> 18) + SIDE * ((g >> 18) + SIDE * (b >> 18)));
    const [wayR, wayG, wayB] = [(r & 0x3ffff) >> 3, (g & 0x3ffff) >> 3, (b & 0x3ffff) >> 3];
    for (let c = 0; c < 3; c++) {
      const at = corner + c;
      const left = mixed(row(table, at, wayR), row(table, at + 3 * SIDE, wayR), wayG);
      const far = at + 3 * SIDE * SIDE;
      const right = mixed(row(table, far, wayR), row(table, far + 3 * SIDE, wayR), wayG);
      data[i + c] = clamp((mixed(left, right, wayB) + 32) >> 6, 0, 255);
    }
  }
  return { ...of, data };
}

function row(table: Int16Array, at: number, way: number): number {
  return mixed(table[at]!, table[at + 3]!, way);
}

function mixed(a: number, b: number, way: number): number {
  return (a * (2 ** 15 - way) + b * way) >> 15;
}

/** The grade's table: 255 is 255 * 64. One row of zeros follows, read with weight 0 where a channel is 255. */
function tableOf(name: string): Int16Array {
  const known = tables.get(name);
  if (known) return known;
  const table = new Int16Array(3 * (SIDE ** 3 + SIDE ** 2 + SIDE + 1));
  const step = (i: number): number => i / (SIDE - 1);
  let at = 0;
  for (let blue = 0; blue < SIDE; blue++) {
    for (let green = 0; green < SIDE; green++) {
      for (let red = 0; red < SIDE; red++) {
        for (const value of shown(gradedLab(srgbToLab([step(red), step(green), step(blue)]), GRADES[name]!))) {
          table[at++] = Math.trunc(value * 255 * 64 + 0.5);
        }
      }
    }
  }
  tables.set(name, table);
  return table;
}

/** A colour as sRGB in 0 to 1, hue and lightness kept: what cannot be shown loses as little chroma as it has to. */
function shown([light, a, b]: Lab): number[] {
  const lightness = clamp(light, 0, 100);
  const withChroma = (share: number): number[] => labToSrgb([lightness, a * share, b * share]);
  const inside = (share: number): boolean => withChroma(share).every((value) => Math.abs(value - 0.5) <= 0.502);
  let most = 1;
  let least = inside(most) ? 1 : 0;
  for (let i = 0; i < 7 && least < most; i++) {
    const share = (least + most) / 2;
    if (inside(share)) least = share;
    else most = share;
  }
  return withChroma(least).map((value) => clamp(value, 0, 1));
}

export function gradedLab([lightness, a, b]: Lab, grade: Grade): Lab {
  const chroma = Math.hypot(a, b);
  const hue = mod((Math.atan2(b, a) * 180) / Math.PI, 360);
  const colored = clamp(chroma / grading.full_chroma, 0, 1);
  const turn = colored * ofHue(hue, grade, "turn");
  const lift = colored * ofHue(hue, grade, "light");
  const more = colored * (ofHue(hue, grade, "chroma") - 1);
  const factor = 1 + (more > 0 ? more * clamp(lightness / grading.night, 0, 1) : more);
  let x = clamp(lightness / 100, 0, 1) ** (1 / grade.gamma);
  x += grade.contrast * (x - 0.5) * 4 * x * (1 - x);
  const toned = grade.black + (grade.white - grade.black) * x + lift * 4 * x * (1 - x);
  const neutral = Math.exp(-((chroma / grading.neutral_chroma) ** 2));
  const tint = [0, 1].map((i) => neutral * ((1 - x) ** 2 * grade.shadow[i]! + x ** 2 * grade.light[i]!));
  const angle = ((hue + turn) * Math.PI) / 180;
  return [toned, factor * chroma * Math.cos(angle) + tint[0]!, factor * chroma * Math.sin(angle) + tint[1]!];
}

/** A fact of the bands at a hue, smooth around the circle. */
function ofHue(hue: number, grade: Grade, fact: keyof Band): number {
  const next = ANGLES.findIndex((angle) => angle >= hue);
  const after = next < 0 ? 0 : next;
  const before = mod(after - 1, ANGLES.length);
  const span = mod(ANGLES[after]! - ANGLES[before]!, 360);
  const way = mod(hue - ANGLES[before]!, 360) / span;
  const [from, to] = [grade.bands[before]![fact], grade.bands[after]![fact]];
  return from + way * way * (3 - 2 * way) * (to - from);
}

/** The bright parts of a picture, shrunk and blurred. */
class Light {
  constructor(
    private readonly spread: Raster,
    private readonly factor: number,
  ) {}

  /** Lets bright places shine on a strip of the result, which begins at row top; darks keep their depth. */
  shineOn(strip: Raster, top: number, share: number, into: Raster): void {
    const spanX = [0, strip.width / this.factor] as const;
    const spanY = [top / this.factor, (top + strip.height) / this.factor] as const;
    const spread = resized(this.spread, strip.width, strip.height, "bilinear", spanX, spanY);
    const shares = Uint8Array.from({ length: 256 }, (_, value) => roundEven(value * share));
    const start = top * strip.width * 3;
    for (let i = 0; i < strip.data.length; i += 3) {
      const held = Math.min(255, gray(strip.data, i) * 2);
      for (let c = 0; c < 3; c++) {
        const own = strip.data[i + c]!;
        const lit = 255 - Math.trunc(((255 - own) * (255 - shares[spread.data[i + c]!]!)) / 255);
        const sum = lit * held + own * (255 - held) + 128;
        into.data[start + i + c] = ((sum >> 8) + sum) >> 8;
      }
    }
  }
}

function lightOf(drawn: Raster, table: Int16Array): Light {
  const reach = Math.max(drawn.width, drawn.height) * grading.glow_share;
  const factor = Math.max(1, Math.trunc(reach / 4));
  const bright = looked(reduced(drawn, factor), table);
  const from = grading.glow_from;
  bright.data.forEach((value, i) => {
    bright.data[i] = Math.trunc((Math.max(0, value - from) * 255) / (255 - from));
  });
  return new Light(gaussianBlurred(bright, reach / factor), factor);
}

function srgbToLab(color: readonly number[]): Lab {
  const linear = color.map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  const [x, y, z] = times(XYZ, linear).map((value, i) => {
    const t = value / grading.white[i]!;
    return t > (6 / 29) ** 3 ? Math.cbrt(t) : t / (3 * (6 / 29) ** 2) + 4 / 29;
  }) as Lab;
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function labToSrgb([lightness, a, b]: Lab): number[] {
  const y = (lightness + 16) / 116;
  const xyz = [y + a / 500, y, y - b / 200].map(
    (f, i) => (f > 6 / 29 ? f ** 3 : 3 * (6 / 29) ** 2 * (f - 4 / 29)) * grading.white[i]!,
  );
  return times(RGB, xyz).map((v) => (v <= 0.0031308 ? 12.92 * v : 1.055 * Math.max(v, 0) ** (1 / 2.4) - 0.055));
}

function times(matrix: Matrix, v: readonly number[]): number[] {
  return matrix.map((r) => r[0]! * v[0]! + r[1]! * v[1]! + r[2]! * v[2]!);
}

function inverse(m: Matrix): Matrix {
  const at = (i: number, j: number): number => m[i % 3]![j % 3]!;
  const minor = (i: number, j: number): number => at(i + 1, j + 1) * at(i + 2, j + 2) - at(i + 1, j + 2) * at(i + 2, j + 1);
  const determinant = [0, 1, 2].reduce((sum, j) => sum + at(0, j) * minor(0, j), 0);
  return [0, 1, 2].map((i) => [0, 1, 2].map((j) => minor(j, i) / determinant));
}

function mod(x: number, by: number): number {
  return ((x % by) + by) % by;
}
