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
  bitmap.close();
  const transparent = rgba.some((value, i) => i % 4 === 3 && value < 255);
  return split((transparent && (await exactly(file, width, height))) || rgba, width, height, transparent);
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

/** RGBA whose colours were not multiplied by alpha, as a canvas does; null where the browser has no such decoder. */
async function exactly(file: Blob, width: number, height: number): Promise<Uint8Array | null> {
  if (!("ImageDecoder" in globalThis)) return null;
  try {
    const decoder = new ImageDecoder({ data: await file.arrayBuffer(), type: file.type });
    const { image } = await decoder.decode();
    const rgba = new Uint8Array(image.allocationSize({ format: "RGBA" }));
    await image.copyTo(rgba, { format: "RGBA" });
    const same = image.displayWidth === width && image.displayHeight === height;
    image.close();
    return same ? rgba : null;
  } catch {
    return null; // the canvas's pixels will do
  }
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
