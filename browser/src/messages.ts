// What the page and its worker say to each other.

import type { Look } from "./constants";

export type Request =
  | { readonly kind: "start"; readonly base: string; readonly threads: number; readonly device: "wasm" | "webgpu" }
  | { readonly kind: "paint"; readonly file: Blob; readonly style: string; readonly look: Look; readonly type: string }
  | { readonly kind: "frame"; readonly bitmap: ImageBitmap; readonly style: string };

export type Answer =
  | { readonly kind: "progress"; readonly done: number; readonly total: number }
  | { readonly kind: "painted"; readonly file: Blob; readonly width: number; readonly height: number; readonly faces: number; readonly seconds: number }
  | { readonly kind: "frame"; readonly bitmap: ImageBitmap }
  | { readonly kind: "failed"; readonly why: "unreadable" | "memory" | "failed"; readonly detail: string };
