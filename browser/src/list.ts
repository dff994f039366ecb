// Several photos: a row for each with what became of it, and all paintings in one file.

import { zipOf } from "./zip";

export class List {
  private urls: string[] = [];
  private done: { readonly file: Blob; readonly name: string }[] = [];

  /** zip: the link to all paintings, hidden until there are several. */
  constructor(
    private readonly element: HTMLElement,
    private readonly zip: HTMLAnchorElement,
  ) {}

  /** A row for each of several photos, none for a single one. */
  show(photos: readonly File[], state: string): void {
    for (const url of this.urls) URL.revokeObjectURL(url);
    [this.urls, this.done] = [[], []];
    this.zip.hidden = true;
    this.element.replaceChildren(...(photos.length > 1 ? photos.map(({ name }) => row(name, state)) : []));
  }

  say(photo: number, state: string): void {
    const output = this.element.children[photo]?.querySelector("output");
    if (output) output.textContent = state;
  }

  /** A painting, to be downloaded from its photo's row. Returns its name, which no other has. */
  add(photo: number, file: Blob, wanted: string, state: string): string {
    const [stem, ending] = wanted.split(/(?=\.\w+$)/) as [string, string];
    const taken = this.done.filter(({ name }) => name.startsWith(stem)).length;
    const name = taken ? `${stem} (${taken + 1})${ending}` : wanted;
    this.done.push({ file, name });
    const output = this.element.children[photo]?.querySelector("output");
    output?.replaceChildren(Object.assign(document.createElement("a"), { href: this.url(file), download: name, textContent: state }));
    return name;
  }

  /** Offers all paintings in one file where there are several. */
  async finish(): Promise<void> {
    if (this.done.length < 2) return;
    this.zip.href = this.url(await zipOf(this.done.map(({ file }) => file), this.done.map(({ name }) => name)));
    this.zip.hidden = false;
  }

  private url(file: Blob): string {
    this.urls.push(URL.createObjectURL(file));
    return this.urls.at(-1)!;
  }
}

function row(name: string, state: string): HTMLElement {
  const item = document.createElement("li");
  const title = Object.assign(document.createElement("span"), { textContent: name });
  item.append(title, Object.assign(document.createElement("output"), { textContent: state }));
  return item;
}
