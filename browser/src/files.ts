// Picture files: decoded upright and in sRGB by the browser, and written again.

import { pngOf } from "./png";
import { raster, type Raster } from "./raster";

/** A decoded photo; alpha: (width * height) bytes, null for opaque. */
export interface Photo {
  readonly rgb: Raster;
  readonly alpha: Uint8Array | null;
}

const JPEG_QUALITY = 0.95;

/** The file's first picture. Rejects what the browser cannot read. */
export async function decoded(file: Blob): Promise<Photo> {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image", premultiplyAlpha: "none" });
  const rgba = pixelsOf(bitmap);
  const { width, height } = bitmap;
  const transparent = rgba.some((value, i) => i % 4 === 3 && value < 255);
  const photo = split((transparent && unmultiplied(bitmap)) || rgba, width, height, transparent);
  bitmap.close();
  return photo;
}

/** The pixels of a frame of the camera. */
export function frameOf(bitmap: ImageBitmap): Raster {
  return split(pixelsOf(bitmap), bitmap.width, bitmap.height, false).rgb;
}

/** The painting as a file: PNG, always so for transparent ones, or the photo's own kind where that can be written. */
export async function encoded(rgb: Raster, alpha: Uint8Array | null, type: string): Promise<Blob> {
  if (alpha || !["image/jpeg", "image/webp"].includes(type)) return pngOf(rgb, alpha);
  const canvas = new OffscreenCanvas(rgb.width, rgb.height);
  canvas.getContext("2d")!.putImageData(imageDataOf(rgb), 0, 0);
  return canvas.convertToBlob({ type, quality: JPEG_QUALITY });
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

function split(rgba: Uint8Array | Uint8ClampedArray, width: number, height: number, transparent: boolean): Photo {
  const rgb = raster(width, height);
  const alpha = transparent ? new Uint8Array(width * height) : null;
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) rgb.data[3 * i + c] = rgba[4 * i + c]!;
    if (alpha) alpha[i] = rgba[4 * i + 3]!;
  }
  return { rgb, alpha };
}
