// Picture files: decoded upright and in sRGB by the browser, and written again.

import { exifOf, withExif } from "./exif";
import { pngOf } from "./png";
import { raster, type Raster } from "./raster";

/** A decoded photo; alpha: (width * height) bytes, null for opaque; exif: a TIFF block to go with the painting. */
export interface Photo {
  readonly rgb: Raster;
  readonly alpha: Uint8Array | null;
  readonly exif: Uint8Array<ArrayBuffer> | null;
}

const JPEG = "image/jpeg";
const QUALITY = 0.95;
const HEAD_BYTES = 1 << 18; // of a file, in which its EXIF lies

/** The file's first picture. Rejects what the browser cannot read. */
export async function decoded(file: Blob): Promise<Photo> {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image", premultiplyAlpha: "none" });
  const rgba = pixelsOf(bitmap);
  const alpha = file.type === JPEG ? null : alphaOf(rgba);
  const rgb = rgbOf((alpha && unmultiplied(bitmap)) ?? rgba, bitmap);
  bitmap.close();
  const head = file.type === JPEG ? new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer()) : null;
  return { rgb, alpha, exif: head && exifOf(head) };
}

/** The pixels of a frame of the camera. */
export function frameOf(bitmap: ImageBitmap): Raster {
  return rgbOf(pixelsOf(bitmap), bitmap);
}

/** The painting as a file: PNG, always so for transparent ones, or the photo's own kind where that can be written. */
export async function encoded(anime: Raster, { alpha, exif }: Photo, type: string): Promise<Blob> {
  if (alpha || ![JPEG, "image/webp"].includes(type)) return pngOf(anime, alpha, exif);
  const canvas = new OffscreenCanvas(anime.width, anime.height);
  canvas.getContext("2d")!.putImageData(imageDataOf(anime), 0, 0);
  const file = await canvas.convertToBlob({ type, quality: QUALITY });
  return exif && type === JPEG ? withExif(file, exif) : file;
}

export function imageDataOf(rgb: Raster): ImageData {
  const image = new ImageData(rgb.width, rgb.height);
  for (let i = 0, at = 0; i < rgb.data.length; i += 3, at += 4) {
    image.data[at] = rgb.data[i]!;
    image.data[at + 1] = rgb.data[i + 1]!;
    image.data[at + 2] = rgb.data[i + 2]!;
    image.data[at + 3] = 255;
  }
  return image;
}

function pixelsOf(bitmap: ImageBitmap): Uint8ClampedArray {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height).data;
}

/** RGBA whose colours were not multiplied by alpha, as a 2-D canvas does: read from a texture; null where it fails. */
function unmultiplied(bitmap: ImageBitmap): Uint8Array | null {
  const { width, height } = bitmap;
  const gl = new OffscreenCanvas(1, 1).getContext("webgl");
  if (!gl || Math.max(width, height) > (gl.getParameter(gl.MAX_TEXTURE_SIZE) as number)) return null;
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
  if (gl.checkFramebufferStatus(gl.FRAMEBUFFER) !== gl.FRAMEBUFFER_COMPLETE) return null;
  const rgba = new Uint8Array(width * height * 4);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, rgba);
  const failed = gl.getError() !== gl.NO_ERROR;
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return failed ? null : rgba;
}

function rgbOf(rgba: Uint8Array | Uint8ClampedArray, { width, height }: ImageBitmap): Raster {
  const rgb = raster(width, height);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb.data[to] = rgba[from]!;
    rgb.data[to + 1] = rgba[from + 1]!;
    rgb.data[to + 2] = rgba[from + 2]!;
  }
  return rgb;
}

/** Null where all pixels are opaque. */
function alphaOf(rgba: Uint8ClampedArray): Uint8Array | null {
  const alpha = Uint8Array.from({ length: rgba.length / 4 }, (_, i) => rgba[4 * i + 3]!);
  return alpha.every((value) => value === 255) ? null : alpha;
}
