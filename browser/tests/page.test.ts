// The page's own small parts.

import { inflateSync } from "node:zlib";

import { expect, test } from "vitest";

import { drawnSize, pixelsToDouble } from "../src/compose";
import { pngOf } from "../src/png";
import { filled, firstLanguage, LANGUAGES, wordsOf } from "../src/text";

test("a PNG holds the pixels, colours of transparent ones too", async () => {
  const rgb = { width: 2, height: 1, channels: 3, data: Uint8Array.from([9, 8, 7, 1, 2, 3]) };
  const bytes = Buffer.from(await (await pngOf(rgb, Uint8Array.from([0, 255]))).arrayBuffer());
  const start = bytes.indexOf("IDAT");
  const pixels = inflateSync(bytes.subarray(start + 4, start + 4 + bytes.readUInt32BE(start - 4)));
  expect([...pixels]).toEqual([1, 9, 8, 7, 0, 248, 250, 252, 255]);
});

test("all languages say everything, with the same blanks", () => {
  const blanks = (text: string): string[] => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  const english = wordsOf("en");
  for (const language of LANGUAGES) {
    const words = wordsOf(language);
    for (const key of Object.keys(english) as (keyof typeof english)[]) {
      expect(words[key], `${language} ${key}`).toBeTruthy();
      expect(blanks(words[key])).toEqual(blanks(english[key]));
    }
  }
});

test("the visitor's language", () => {
  expect(firstLanguage(["", "fr-FR", "zh-TW", "en"])).toBe("zh");
  expect(firstLanguage(["fr"])).toBe("en");
  expect(filled("{width} × {height}", { width: 2, height: 3 })).toBe("2 × 3");
});

test("large photos are drawn smaller, strips by their shorter side", () => {
  expect(drawnSize(4000, 3000, 1024)).toEqual([1024, 768]);
  expect(drawnSize(800, 600, 1024)).toEqual([800, 600]);
  expect(drawnSize(4000, 500, 1024)).toEqual([4000, 500]);
  expect(pixelsToDouble(100, 1000, 400)).toBe(5000);
  expect(pixelsToDouble(100, 1000, 120)).toBe(0);
});
