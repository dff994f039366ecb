// Every text of the page: its own are in texts.json, those that the served page has too come from the package (web/texts).

import { SHARED_TEXT } from "./constants";
import own from "./texts.json";

export type Language = keyof typeof own;
export type Words = (typeof SHARED_TEXT)["en"] & (typeof own)["en"];

export const LANGUAGES = Object.keys(own) as Language[];

export function wordsOf(language: Language): Words {
  return { ...SHARED_TEXT[language], ...own[language] };
}

/** The visitor's language if the page has it: chosen before, or the browser's. */
export function firstLanguage(wanted: readonly string[]): Language {
  const codes = wanted.map((code) => code.slice(0, 2).toLowerCase());
  return (codes.find((code) => code in own) as Language | undefined) ?? "en";
}

/** {name} replaced by what it stands for. */
export function filled(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}
