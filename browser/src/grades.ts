// A film's colours over a drawing: a table of 33x33x33 colours, and bright places that glow; as painting/grades.py.

import { gaussianBlurred } from "./blur";
import { gray } from "./colors";
import { grading } from "./constants";
import { clamp, cropped, roundEven, type Raster } from "./raster";
import { reduced, resized } from "./resample";
import { fetched } from "./runtime";

/** Colours in fixed point (255 is 255 * 64), red changing fastest; a row of zeros follows, read with weight 0. */
export type Table = Int16Array;

const SIDE = grading.table;
const GLOW: Readonly<Record<string, number>> = grading.glow;
const tables = new Map<string, Table>();

/** The table of the grade of that name, which scripts/browser_constants.py wrote. */
export async function tableOf(name: string): Promise<Table> {
  const known = tables.get(name) ?? new Int16Array(await fetched(`grades/${name}.bin`));
  tables.set(name, known);
  return known;
}

/** The drawing in the colours of the grade of that name. */
export function graded(drawn: Raster, name: string, table: Table): Raster {
  const result = looked(drawn, table);
  const glow = GLOW[name]!;
  if (!glow) return result;
  const light = lightOf(drawn, table);
  for (let top = 0; top < drawn.height; top += grading.strip_rows) {
    light.shineOn(cropped(result, 0, top, drawn.width, grading.strip_rows), top, glow, result);
  }
  return result;
}

/** Every pixel through the table, mixed from the eight colours around it in fixed point, as Pillow does. */
function looked(of: Raster, table: Table): Raster {
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

function row(table: Table, at: number, way: number): number {
  return mixed(table[at]!, table[at + 3]!, way);
}

function mixed(a: number, b: number, way: number): number {
  return (a * (2 ** 15 - way) + b * way) >> 15;
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

function lightOf(drawn: Raster, table: Table): Light {
  const reach = Math.max(drawn.width, drawn.height) * grading.glow_share;
  const factor = Math.max(1, Math.trunc(reach / 4));
  const bright = looked(reduced(drawn, factor), table);
  const from = grading.glow_from;
  bright.data.forEach((value, i) => {
    bright.data[i] = Math.trunc((Math.max(0, value - from) * 255) / (255 - from));
  });
  return new Light(gaussianBlurred(bright, reach / factor), factor);
}
