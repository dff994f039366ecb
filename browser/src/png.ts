// Pictures as PNG, every byte as it is: a canvas would lose colours where a picture is transparent.

import type { Raster } from "./raster";

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let c = byte;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** RGB of 8 bits, or RGBA with alpha; exif: a TIFF block that comes with it. */
export async function pngOf(rgb: Raster, alpha: Uint8Array | null, exif: Uint8Array | null = null): Promise<Blob> {
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, rgb.width);
  header.setUint32(4, rgb.height);
  header.setUint8(8, 8);
  header.setUint8(9, alpha ? 6 : 2);
  const packed = new Blob([filtered(rgb, alpha)]).stream().pipeThrough(new CompressionStream("deflate"));
  const pixels = new Uint8Array(await new Response(packed).arrayBuffer());
  const parts = [
    new Uint8Array(SIGNATURE),
    chunk("IHDR", new Uint8Array(header.buffer)),
    chunk("sRGB", new Uint8Array(1)),
    ...(exif ? [chunk("eXIf", exif)] : []),
    chunk("IDAT", pixels),
    chunk("IEND", new Uint8Array(0)),
  ];
  return new Blob(parts, { type: "image/png" });
}

/** Rows as differences from the pixel to the left (filter 1), which packs better. */
function filtered(rgb: Raster, alpha: Uint8Array | null): Uint8Array<ArrayBuffer> {
  const channels = alpha ? 4 : 3;
  const rows = new Uint8Array(rgb.height * (1 + rgb.width * channels));
  let to = 0;
  for (let y = 0; y < rgb.height; y++) {
    rows[to++] = 1;
    for (let x = 0; x < rgb.width; x++) {
      const at = y * rgb.width + x;
      for (let c = 0; c < 3; c++) rows[to++] = rgb.data[3 * at + c]! - (x ? rgb.data[3 * at - 3 + c]! : 0);
      if (alpha) rows[to++] = alpha[at]! - (x ? alpha[at - 1]! : 0);
    }
  }
  return rows;
}

function chunk(kind: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(12 + data.length);
  const view = new DataView(whole.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) whole[4 + i] = kind.charCodeAt(i);
  whole.set(data, 8);
  view.setUint32(8 + data.length, crc32(whole.subarray(4, 8 + data.length)));
  return whole;
}

export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
