// EXIF of JPEG photos, carried over to the painting; as images/metadata.py, which keeps positions (GPS) too.

import { STORAGE_TAGS } from "./constants";

const [ENTRY, SUB_EXIF] = [12, 0x8769];
const [COLOR_SPACE, SRGB, WIDTH, HEIGHT] = [0xa001, 1, 0xa002, 0xa003];
const [THUMBNAIL, THUMBNAIL_LENGTH] = [0x0201, 0x0202];
const NAME = [0x45, 0x78, 0x69, 0x66, 0, 0]; // "Exif\0\0"

/** The TIFF block of a JPEG file's EXIF without what said how the photo was stored or turned; null where there is none. */
export function exifOf(jpeg: Uint8Array): Uint8Array<ArrayBuffer> | null {
  const segments = new DataView(jpeg.buffer, jpeg.byteOffset, jpeg.byteLength);
  for (let at = 2; at + 4 < jpeg.length && jpeg[at] === 0xff && jpeg[at + 1] !== 0xda; at += 2 + segments.getUint16(at + 2)) {
    if (jpeg[at + 1] !== 0xe1 || !NAME.every((byte, i) => jpeg[at + 4 + i] === byte)) continue;
    try {
      return descriptive(jpeg.slice(at + 10, at + 2 + segments.getUint16(at + 2)));
    } catch {
      return null; // damaged
    }
  }
  return null;
}

/** The same JPEG file with EXIF. */
export function withExif(jpeg: Blob, exif: Uint8Array<ArrayBuffer>): Blob {
  const head = new Uint8Array([0xff, 0xd8, 0xff, 0xe1, 0, 0, ...NAME]);
  new DataView(head.buffer).setUint16(4, exif.length + 8);
  return new Blob([head, exif, jpeg.slice(2)], { type: jpeg.type });
}

function descriptive(tiff: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const view = new DataView(tiff.buffer);
  const little = view.getUint16(0) === 0x4949;
  const first = view.getUint32(4, little);
  const next = first + 2 + ENTRY * view.getUint16(first, little);
  const thumbnail = new Map(entries(view, view.getUint32(next, little), little).map(([tag, at]) => [tag, at]));
  const valueAt = (at: number | undefined): number => (at === undefined ? 0 : view.getUint32(at + 8, little));
  const start = valueAt(thumbnail.get(THUMBNAIL));
  tiff.fill(0, start || tiff.length, start + valueAt(thumbnail.get(THUMBNAIL_LENGTH))); // it shows the photo
  const sub = entries(view, first, little).find(([tag]) => tag === SUB_EXIF);
  const details = valueAt(sub?.[1]);
  for (const [tag, at] of entries(view, details, little)) {
    if (tag === COLOR_SPACE) view.setUint16(at + 8, SRGB, little);
  }
  if (details) filter(view, details, little, (tag) => tag !== WIDTH && tag !== HEIGHT);
  filter(view, first, little, (tag) => !STORAGE_TAGS.includes(tag));
  return tiff;
}

/** Tag and place of each entry of a directory; none where that is at 0. */
function entries(view: DataView, directory: number, little: boolean): [number, number][] {
  const count = directory ? view.getUint16(directory, little) : 0;
  return Array.from({ length: count }, (_, i) => {
    const at = directory + 2 + ENTRY * i;
    return [view.getUint16(at, little), at];
  });
}

/** Leaves the wanted entries in a directory, and no other directory after it. */
function filter(view: DataView, directory: number, little: boolean, wanted: (tag: number) => boolean): void {
  const all = entries(view, directory, little);
  const bytes = new Uint8Array(view.buffer);
  const kept = all.filter(([tag]) => wanted(tag));
  kept.forEach(([, from], i) => bytes.copyWithin(directory + 2 + ENTRY * i, from, from + ENTRY));
  bytes.fill(0, directory + 2 + ENTRY * kept.length, directory + 6 + ENTRY * all.length);
  view.setUint16(directory, kept.length, little);
}
