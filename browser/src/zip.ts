// Several files in one: ZIP without compression, which pictures do not need.

import { crc32 } from "./png";

/** names: of the files, each once. */
export async function zipOf(files: readonly Blob[], names: readonly string[]): Promise<Blob> {
  const parts: BlobPart[] = [];
  const directory: BlobPart[] = [];
  let [at, directoryBytes] = [0, 0];
  for (const [i, file] of files.entries()) {
    const name = new TextEncoder().encode(names[i]);
    const crc = crc32(new Uint8Array(await file.arrayBuffer()));
    const facts = [u16(20), u16(0x0800), u16(0), u16(0), u16(0x21), u32(crc), u32(file.size), u32(file.size), u16(name.length), u16(0)];
    const entry = new Blob([u32(0x02014b50), u16(20), ...facts, u16(0), u16(0), u16(0), u32(0), u32(at), name]);
    directory.push(entry);
    directoryBytes += entry.size;
    parts.push(u32(0x04034b50), ...facts, name, file);
    at += 30 + name.length + file.size;
  }
  const count = u16(files.length);
  const end = [u32(0x06054b50), u16(0), u16(0), count, count, u32(directoryBytes), u32(at), u16(0)];
  return new Blob([...parts, ...directory, ...end], { type: "application/zip" });
}

function u16(value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array([value & 255, value >> 8]);
}

function u32(value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array([value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24]);
}
