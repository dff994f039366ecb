// Faces painted by the portrait network: cut out upright, painted, put back with the scene's colours; as portraits.py.

import { turned } from "./bend";
import { drawnSmaller, enlarged } from "./compose";
import { PORTRAITS, portraits, STYLES, type Faces, type Version } from "./constants";
import { eyesEnlarged } from "./eyes";
import { findFaces, sideOf, turnOf, type Face } from "./faces";
import { drawn, type OnPixels } from "./network";
import { clamp, cropped, edgePadded, paste, raster, roundEven, type Point, type Raster } from "./raster";
import { resized, resizedFloats } from "./resample";

/** A face that was found, and the version that is to paint it; null leaves it to the scene's style. */
export interface Sitter {
  readonly face: Face;
  readonly version: Version | null;
}

/** The photo's faces, largest first. ownStyle: the scene's; when it is a portrait style, "auto" means that version. */
export async function findSitters(photo: Raster, choice: Faces, ownStyle: string): Promise<Sitter[]> {
  if (choice === "off") return [];
  const own = (Object.keys(PORTRAITS) as Version[]).find((version) => PORTRAITS[version] === ownStyle);
  return (await findFaces(photo)).map((face) => {
    const side = sideOf(face);
    const suited = own ?? (side >= portraits.stylized_face_px ? "v1" : "v2");
    return { face, version: side < portraits.least_face_px ? null : choice === "auto" ? suited : choice };
  });
}

/** The longer side a portrait photo is drawn at, 0 for a photo that is none. */
export function portraitPx(photo: Raster, sitters: readonly Sitter[]): number {
  const largest = sitters[0];
  if (!largest?.version || sideOf(largest.face) < portraits.portrait_share * photo.height) return 0;
  return roundEven((Math.max(photo.width, photo.height) * portraits.drawn_face_px) / sideOf(largest.face));
}

/** A portrait photo painted whole by the version of its largest face. */
export async function wholePortrait(photo: Raster, sitters: readonly Sitter[], onPixels: OnPixels): Promise<Raster> {
  let seen = photo;
  for (const { face, version } of sitters) {
    if (version === "v1") seen = eyesEnlarged(seen, [face.landmarks[0]!, face.landmarks[1]!]);
  }
  const style = STYLES[PORTRAITS[sitters[0]!.version!]]!;
  return drawnSmaller(seen, portraitPx(photo, sitters), (small) => drawn(small, style, onPixels), onPixels);
}

/** The scene with the faces painted into it; each pixel belongs to the face it is nearest to. */
export async function facesPainted(
  photo: Raster,
  scene: Raster,
  sitters: readonly Sitter[],
  onPixels: OnPixels,
): Promise<Raster> {
  const jobs = sitters.filter(({ version }) => version).map((sitter) => ({ sitter, square: new Square(sitter.face) }));
  if (!jobs.length) return scene;
  const result: Raster = { ...scene, data: scene.data.slice() };
  for (const { sitter, square } of jobs) {
    const place = square.placeIn(scene);
    const rivals = jobs.map((job) => job.square).filter((other) => other !== square && other.touches(square));
    const { mask, inside } = maskOf(square, rivals, place);
    const back = await putUprightBack(await portrait(photo, square, sitter, onPixels), square, onPixels);
    const cut = (of: Raster, left: number, top: number): Raster => cropped(of, left, top, place.width, place.height);
    const change = fittedChange(
      cut(back, place.left - square.left, place.top - square.top),
      cut(photo, place.left, place.top),
      cut(scene, place.left, place.top),
      inside,
    );
    apply(result, place, mask, change);
  }
  return result;
}

/** How many pixels the portrait network will have to paint for these faces. */
export function pixelsOfFaces(sitters: readonly Sitter[]): number {
  return sitters.filter(({ version }) => version).reduce((sum, { face }) => sum + new Square(face).networkSide ** 2, 0);
}

interface Place {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The square in which a face is painted, turned as the face is; (left, top) and reach: the upright one around it. */
export class Square {
  readonly left: number;
  readonly top: number;
  readonly reach: number;
  readonly side: number;
  readonly turn: number;
  private readonly cos: number;
  private readonly sin: number;

  constructor(face: Face) {
    const angle = turnOf(face);
    const quarter = roundEven(angle / 90) * 90;
    this.turn = Math.abs(angle - quarter) < portraits.upright_degrees ? quarter : angle;
    this.cos = Math.cos((this.turn * Math.PI) / 180);
    this.sin = Math.sin((this.turn * Math.PI) / 180);
    this.side = portraits.margin * sideOf(face);
    this.reach = 2 * Math.ceil((this.side * (Math.abs(this.cos) + Math.abs(this.sin))) / 2);
    const x = (face.box[0] + face.box[2]) / 2 + portraits.raised * this.side * this.sin;
    const y = (face.box[1] + face.box[3]) / 2 - portraits.raised * this.side * this.cos;
    this.left = roundEven(x - this.reach / 2);
    this.top = roundEven(y - this.reach / 2);
  }

  /** The side a portrait network paints it at. */
  get networkSide(): number {
    const { least_px, most_px, multiple } = portraits;
    return roundEven(clamp(this.side, least_px, most_px) / multiple) * multiple;
  }

  /** How far a point lies from the middle: 0 there, 1 on the border of the square with rounded corners. */
  distance(column: number, line: number): number {
    const [x, y] = this.turned(column, line);
    const n = portraits.roundness;
    return Math.max(1e-3, ((Math.abs(x) ** n + Math.abs(y) ** n) ** (1 / n) * 2) / this.side);
  }

  /** Where a point of the photo comes to lie when the square is cut out upright, side pixels wide. */
  upright([column, line]: Point, side: number): Point {
    const [x, y] = this.turned(column, line);
    return [side / 2 + (side / this.side) * x, side / 2 + (side / this.side) * y];
  }

  touches(other: Square): boolean {
    const apart = (a: number, b: number): number => Math.abs(2 * (a - b) + this.reach - other.reach);
    const sum = this.reach + other.reach;
    return apart(this.left, other.left) < sum && apart(this.top, other.top) < sum;
  }

  /** The part of it that lies in the picture. */
  placeIn({ width, height }: Raster): Place {
    const [left, top] = [Math.max(this.left, 0), Math.max(this.top, 0)];
    const [right, bottom] = [Math.min(this.left + this.reach, width), Math.min(this.top + this.reach, height)];
    return { left, top, width: right - left, height: bottom - top };
  }

  private turned(column: number, line: number): Point {
    const [x, y] = [column - this.left - this.reach / 2, line - this.top - this.reach / 2];
    return [x * this.cos + y * this.sin, y * this.cos - x * this.sin];
  }
}

async function portrait(photo: Raster, square: Square, sitter: Sitter, onPixels: OnPixels): Promise<Raster> {
  let cut = cutUpright(photo, square);
  const [right, left] = sitter.face.landmarks as [Point, Point];
  if (sitter.version === "v1") {
    cut = eyesEnlarged(cut, [square.upright(right, cut.width), square.upright(left, cut.width)]);
  }
  return drawn(cut, STYLES[PORTRAITS[sitter.version!]]!, onPixels);
}

/** The square out of the photo, upright, at a size the network likes; past the photo's border that repeats. */
function cutUpright(photo: Raster, square: Square): Raster {
  const { left, top, width, height } = square.placeIn(photo);
  const [before, above] = [left - square.left, top - square.top];
  const inside = cropped(photo, left, top, width, height);
  const region = edgePadded(inside, before, above, square.reach - before - width, square.reach - above - height);
  const side = square.networkSide;
  const reach = roundEven((side * square.reach) / square.side);
  const upright = turned(resized(region, reach, reach, "lanczos"), square.turn);
  const edge = Math.floor((reach - side) / 2);
  return cropped(upright, edge, edge, side, side);
}

/** What was cut, turned and scaled back. */
function putUprightBack(painted: Raster, square: Square, onPixels: OnPixels): Promise<Raster> {
  const reach = roundEven((painted.height * square.reach) / square.side);
  const canvas = raster(reach, reach);
  const edge = Math.floor((reach - painted.height) / 2);
  paste(canvas, painted, edge, edge);
  return enlarged(turned(canvas, -square.turn), square.reach, square.reach, onPixels);
}

/** How much of each pixel the face takes, 0 to 1, and which pixels its square holds. */
function maskOf(square: Square, rivals: readonly Square[], place: Place): { mask: Float32Array; inside: Uint8Array } {
  const mask = new Float32Array(place.width * place.height);
  const inside = new Uint8Array(mask.length);
  for (let i = 0; i < mask.length; i++) {
    const [x, y] = [place.left + (i % place.width) + 0.5, place.top + Math.floor(i / place.width) + 0.5];
    const distance = square.distance(x, y);
    const share = clamp((portraits.gone - distance) / (portraits.gone - portraits.solid), 0, 1);
    const others = rivals.reduce((sum, other) => sum + (distance / other.distance(x, y)) ** 8, 1);
    mask[i] = (share * share * (3 - 2 * share)) / others;
    inside[i] = distance < 1 ? 1 : 0;
  }
  return { mask, inside };
}

/**
 * What the portrait changes at its place once it has the scene's colours, in levels: the affine map that comes nearest
 * to what the style does to the photo's colours is applied to it, and what still differs broadly is taken off.
 */
function fittedChange(painted: Raster, photo: Raster, scene: Raster, inside: Uint8Array): Float32Array {
  const { width, height } = painted;
  const [before, after] = [photo, scene].map((of) =>
    resized(of, Math.min(portraits.fit_px, width), Math.min(portraits.fit_px, height), "box"),
  ) as [Raster, Raster];
  const { slope, middle, shift } = affine(before.data, after.data);
  const change = new Float32Array(painted.data.length);
  for (let i = 0; i < inside.length; i++) {
    if (!inside[i]) continue;
    for (let c = 0; c < 3; c++) {
      let styled = shift[c]!;
      for (let k = 0; k < 3; k++) styled += (painted.data[3 * i + k]! - middle[k]!) * slope[k]![c]!;
      change[3 * i + c] = painted.data[3 * i + c]! - scene.data[3 * i + c]! + portraits.styled * styled;
    }
  }
  for (let c = 0; c < 3; c++) takeBroadOff(change, c, width, height);
  return change;
}

function takeBroadOff(change: Float32Array, channel: number, width: number, height: number): void {
  const one = Float32Array.from({ length: width * height }, (_, i) => change[3 * i + channel]!);
  const cells = portraits.color_cells;
  const broad = resizedFloats(resizedFloats(one, width, height, cells, cells, "box"), cells, cells, width, height, "bicubic");
  const most = portraits.most_broad;
  for (let i = 0; i < broad.length; i++) change[3 * i + channel]! -= most * Math.tanh(broad[i]! / most);
}

/** The least-squares map from colours to their changes: change = (colour - middle) @ slope + shift. */
function affine(before: Uint8Array, after: Uint8Array): { slope: number[][]; middle: number[]; shift: number[] } {
  const count = before.length / 3;
  const mean = (value: (i: number) => number): number[] =>
    [0, 1, 2].map((c) => Array.from({ length: count }, (_, i) => value(3 * i + c)).reduce((a, b) => a + b) / count);
  const middle = mean((i) => before[i]!);
  const shift = mean((i) => after[i]! - before[i]!);
  const left = [0, 1, 2].map((r) => [0, 1, 2].map((c) => (r === c ? portraits.hold_back * count : 0)));
  const right = [0, 1, 2].map(() => [0, 0, 0]);
  for (let i = 0; i < before.length; i += 3) {
    for (let r = 0; r < 3; r++) {
      const spread = before[i + r]! - middle[r]!;
      for (let c = 0; c < 3; c++) {
        left[r]![c]! += spread * (before[i + c]! - middle[c]!);
        right[r]![c]! += spread * (after[i + c]! - before[i + c]!);
      }
    }
  }
  return { slope: solved(left, right), middle, shift };
}

/** x of left @ x = right, three by three; left is positive definite, so no pivots are sought. */
function solved(left: number[][], right: number[][]): number[][] {
  const rows = left.map((r, i) => [...r, ...right[i]!]);
  for (let p = 0; p < 3; p++) {
    const pivot = rows[p]!.map((value) => value / rows[p]![p]!);
    rows[p] = pivot;
    for (let r = 0; r < 3; r++) {
      const times = rows[r]![p]!;
      if (r !== p) rows[r] = rows[r]!.map((value, i) => value - times * pivot[i]!);
    }
  }
  return rows.map((r) => r.slice(3));
}

function apply(result: Raster, place: Place, mask: Float32Array, change: Float32Array): void {
  for (let i = 0; i < mask.length; i++) {
    const x = place.left + (i % place.width);
    const y = place.top + Math.floor(i / place.width);
    const to = (y * result.width + x) * 3;
    for (let c = 0; c < 3; c++) {
      result.data[to + c] = clamp(result.data[to + c]! + mask[i]! * change[3 * i + c]! + 0.5, 0, 255);
    }
  }
}
