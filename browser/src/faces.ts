// Finds the faces in a photo with YuNet: on the whole photo, on turned copies, and on windows; as painting/faces.py.

import type { Tensor } from "onnxruntime-web/wasm";

import { faces } from "./constants";
import { cropped, paste, quarterTurned, raster, roundEven, type Point, type Raster } from "./raster";
import { reduced, resized } from "./resample";
import { run, tensorOf } from "./runtime";

/** A face in pixels of the photo. box: left, top, right, bottom. landmarks: right eye, left eye, nose, mouth's corners. */
export interface Face {
  readonly box: readonly [number, number, number, number];
  readonly landmarks: readonly Point[];
  readonly score: number;
}

type Move = (point: Point) => Point;
type Needed = readonly (readonly number[])[];

const SIDE = faces.side;
const LEAST_SCORE = 0.3;

/** The longer side of the box, which is the face's height however it is turned. */
export function sideOf({ box }: Face): number {
  return Math.max(box[2] - box[0], box[3] - box[1]);
}

/** By how many degrees the face is turned clockwise from upright. */
export function turnOf(face: Face): number {
  const [rightEye, leftEye, , rightMouth, leftMouth] = face.landmarks as [Point, Point, Point, Point, Point];
  const down = [0, 1].map((i) => (leftMouth[i]! + rightMouth[i]! - leftEye[i]! - rightEye[i]!) / 2);
  return (Math.atan2(leftEye[1] - rightEye[1] - down[0]!, leftEye[0] - rightEye[0] + down[1]!) * 180) / Math.PI;
}

/** The faces of a photo, largest first, turned ones too. */
export async function findFaces(photo: Raster): Promise<Face[]> {
  const longer = Math.max(photo.width, photo.height);
  const finest = Math.min(1, Math.max(faces.finest_scale, SIDE / longer));
  const scales = [Math.min(1, SIDE / longer)];
  while (scales.at(-1)! < faces.finest_scale) scales.push(Math.min(faces.finest_scale, 4 * scales.at(-1)!));
  const found: Face[] = [];
  for (const scale of scales) found.push(...(await onWindows(photo, scale)));
  const all = [...trusted(found, finest, faces.needed_score), ...(await onTurnedCopies(photo))];
  return bestOfEach(all).sort((a, b) => sideOf(b) - sideOf(a));
}

/** What is found in windows of the photo shrunk by scale; faces cut by a window are left out. */
async function onWindows(photo: Raster, scale: number): Promise<Face[]> {
  const small = shrunk(photo, scale);
  const [stretchX, stretchY] = [small.width / photo.width, small.height / photo.height];
  const found: Face[] = [];
  for (const top of starts(small.height)) {
    for (const left of starts(small.width)) {
      const inner = [left > 0, top > 0, left + SIDE < small.width, top + SIDE < small.height];
      const cut = ({ box }: Face): boolean => box.some((edge, i) => inner[i]! && (i < 2 ? edge < 2 : edge > SIDE - 2));
      const whole = (await detect(cropped(small, left, top, SIDE, SIDE))).filter((face) => !cut(face));
      found.push(...whole.map((face) => moved(face, ([x, y]) => [(x + left) / stretchX, (y + top) / stretchY])));
    }
  }
  return found;
}

/** What is found on one sheet of four small copies, turned by quarters: faces that lie or hang, and very large ones. */
async function onTurnedCopies(photo: Raster): Promise<Face[]> {
  const half = SIDE / 2;
  const small = shrunk(photo, Math.min(1, half / Math.max(photo.width, photo.height)));
  const sheet = raster(SIDE, SIDE);
  const corners: readonly Point[] = [[0, 0], [half, 0], [0, half], [half, half]];
  corners.forEach(([left, top], turns) => paste(sheet, quarterTurned(small, turns), left, top));
  const found = trusted(await detect(sheet), 1, faces.needed_score_turned);
  const [stretchX, stretchY] = [photo.width / small.width, photo.height / small.height];
  return corners.flatMap(([left, top], turns) => {
    const back: Move = ([x, y]) => {
      let point: Point = [x - left, y - top];
      for (let turn = turns; turn > 0; turn--) point = [(turn % 2 ? small.width : small.height) - point[1], point[0]];
      return [point[0] * stretchX, point[1] * stretchY];
    };
    const inside = found.filter(({ box }) => {
      const [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
      return x >= left && y >= top && x < left + half && y < top + half;
    });
    return inside.map((face) => moved(face, back));
  });
}

function moved(face: Face, move: Move): Face {
  const [a, b] = [move([face.box[0], face.box[1]]), move([face.box[2], face.box[3]])];
  const box = [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])] as const;
  return { box, landmarks: face.landmarks.map(move), score: face.score };
}

/** Where windows begin along one axis: evenly spread. */
function starts(length: number): number[] {
  if (length <= SIDE) return [0];
  const count = Math.ceil((length - faces.overlap_px) / (SIDE - faces.overlap_px));
  return Array.from({ length: count }, (_, i) => roundEven((i * (length - SIDE)) / (count - 1)));
}

function shrunk(photo: Raster, scale: number): Raster {
  if (scale === 1) return photo;
  const width = Math.max(1, roundEven(photo.width * scale));
  const height = Math.max(1, roundEven(photo.height * scale));
  return bilinear(photo, width, height);
}

/** Bilinear with Pillow's reducing_gap of 2: first by whole factors, as far as twice the size. */
function bilinear(photo: Raster, width: number, height: number): Raster {
  const factorX = Math.max(1, Math.trunc(photo.width / width / 2));
  const factorY = Math.max(1, Math.trunc(photo.height / height / 2));
  if (factorX === 1 && factorY === 1) return resized(photo, width, height, "bilinear");
  const small = reduced(photo, factorX, factorY);
  return resized(small, width, height, "bilinear", [0, photo.width / factorX], [0, photo.height / factorY]);
}

/** Every place of a window that the detector gives 0.3 or more: its answers are relative to the cells of three grids. */
async function detect(window: Raster): Promise<Face[]> {
  const answers = (await run(faces.detector, blueFirst(window))).map((tensor) => tensor.data as Float32Array);
  const found: Face[] = [];
  faces.strides.forEach((stride, i) => {
    const [classes, objects, boxes, points] = [0, 1, 2, 3].map((kind) => answers[i + 3 * kind]!) as Answers;
    const across = SIDE / stride;
    for (let cell = 0; cell < classes.length; cell++) {
      const score = Math.sqrt(inUnit(classes[cell]!) * inUnit(objects[cell]!));
      if (score < LEAST_SCORE) continue;
      const [col, row] = [cell % across, Math.floor(cell / across)];
      const [x, y, width, height] = [...boxes.subarray(4 * cell, 4 * cell + 4)] as [number, number, number, number];
      const [halfX, halfY] = [Math.exp(width) / 2, Math.exp(height) / 2];
      const box = [col + x - halfX, row + y - halfY, col + x + halfX, row + y + halfY] as const;
      const landmarks = Array.from({ length: 5 }, (_, k): Point => [
        col + points[10 * cell + 2 * k]!,
        row + points[10 * cell + 2 * k + 1]!,
      ]);
      found.push(moved({ box, landmarks, score }, ([a, b]) => [a * stride, b * stride]));
    }
  });
  return bestOfEach(found);
}

type Answers = [Float32Array, Float32Array, Float32Array, Float32Array];

/** The detector's input: blue, green, red from 0 to 255 in a square, black where the window ends. */
function blueFirst(window: Raster): Tensor {
  const batch = new Float32Array(3 * SIDE * SIDE);
  for (let y = 0; y < window.height; y++) {
    for (let x = 0; x < window.width; x++) {
      const from = (y * window.width + x) * 3;
      for (let c = 0; c < 3; c++) batch[(c * SIDE + y) * SIDE + x] = window.data[from + 2 - c]!;
    }
  }
  return tensorOf(batch, [1, 3, SIDE, SIDE]);
}

/** Those with the score that is needed at their longer side in pixels times scale. */
function trusted(found: readonly Face[], scale: number, needed: Needed): Face[] {
  return found.filter((face) => face.score >= interpolated(sideOf(face) * scale, needed[0]!, needed[1]!));
}

function interpolated(x: number, xs: readonly number[], ys: readonly number[]): number {
  const after = xs.findIndex((edge) => edge > x);
  if (after === 0) return ys[0]!;
  if (after < 0) return ys.at(-1)!;
  const way = (x - xs[after - 1]!) / (xs[after]! - xs[after - 1]!);
  return ys[after - 1]! + way * (ys[after]! - ys[after - 1]!);
}

/** What was found, without those that lie on a better one, best first. */
function bestOfEach(found: readonly Face[]): Face[] {
  let rest = [...found].sort((a, b) => b.score - a.score);
  const kept: Face[] = [];
  while (rest.length) {
    const best = rest[0]!;
    kept.push(best);
    rest = rest.slice(1).filter((face) => overlap(best, face) < faces.same_face * Math.min(area(best), area(face)));
  }
  return kept;
}

function overlap({ box: a }: Face, { box: b }: Face): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  return Math.max(0, width) * Math.max(0, height);
}

function area({ box }: Face): number {
  return (box[2] - box[0]) * (box[3] - box[1]);
}

function inUnit(x: number): number {
  return Math.min(1, Math.max(0, x));
}
