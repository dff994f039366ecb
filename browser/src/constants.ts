// The numbers that the Python package paints by; scripts/browser_constants.py writes them from its modules.

import written from "./constants.json";

export interface Style {
  readonly file: string;
  readonly description: string;
  readonly multiple_of: number;
  readonly halo: number;
  readonly max_side: number;
  readonly bytes_per_px: number;
  readonly mean_color: boolean;
  readonly grade: string | null;
  readonly free: boolean;
  readonly fast_file: string | null;
}

export type Version = "v1" | "v2";
export type Faces = "auto" | "off" | Version;
export type Lines = "fine" | "medium" | "broad";

/** What is wanted of a painting besides its style; as in the package's `Look`. fast: by the network for video. */
export interface Look {
  readonly strength: number;
  readonly keepColor: boolean;
  readonly faces: Faces;
  readonly lines: Lines;
  readonly fast: boolean;
}

export const { enlarge, eyes, faces, portraits, stylizer, tiling } = written;
export const grading = written.grades;
export const STYLES: Readonly<Record<string, Style>> = written.styles;
export const STORAGE_TAGS: readonly number[] = written.storage_tags;
export const SHARED_TEXT = written.text;
export const PORTRAITS: Readonly<Record<Version, string>> = written.portraits.styles;
