// What the page and its worker say to each other.

import type { Look } from "./constants";
import type { Device, Setting } from "./runtime";

export type Why = "unreadable" | "memory" | "failed" | "cancelled";

export type Request =
  | ({ readonly kind: "start" } & Setting)
  | { readonly kind: "paint"; readonly file: Blob; readonly style: string; readonly look: Look; readonly type: string }
  | { readonly kind: "frame"; readonly bitmap: ImageBitmap; readonly style: string };

export type Answer =
  | { readonly kind: "started"; readonly device: Device }
  | { readonly kind: "verdict"; readonly file: string; readonly same: boolean }
  | { readonly kind: "progress"; readonly done: number; readonly total: number }
  | { readonly kind: "painted"; readonly file: Blob; readonly width: number; readonly height: number; readonly seconds: number }
  | { readonly kind: "frame"; readonly bitmap: ImageBitmap }
  | { readonly kind: "failed"; readonly why: Why; readonly detail: string };
