// The page: what is chosen, what is shown; the worker paints.

import { Camera } from "./camera";
import { Client, Failure } from "./client";
import { STYLES, type Faces, type Lines, type Look } from "./constants";
import { List } from "./list";
import { Progress } from "./progress";
import { filled, firstLanguage, LANGUAGES, wordsOf, type Language, type Words } from "./text";

const client = new Client();
const asked = new URLSearchParams(location.search);
let words: Words;
let photos: readonly File[] = [];
let camera: Camera | null = null;
const shown = new Map<HTMLImageElement, string>();

function find<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const [preview, before, after] = ["preview", "before", "after"].map((id) => find<HTMLImageElement>(id)) as [
  HTMLImageElement,
  HTMLImageElement,
  HTMLImageElement,
];
const status = find("status");
const list = new List(find("list"), find<HTMLAnchorElement>("zip"));
const progress = new Progress(find<HTMLProgressElement>("progress"), (seconds) => {
  status.textContent = `${words.painting} ${filled(words.timeLeft, { seconds })}`;
});

function say(language: Language): void {
  words = wordsOf(language);
  document.documentElement.lang = words.tag;
  document.title = words.title;
  find<HTMLSelectElement>("language").value = language;
  for (const element of document.querySelectorAll<HTMLElement>("[data-text]")) {
    element.textContent = words[element.dataset["text"] as keyof Words];
  }
  find("split").ariaLabel = words.split;
  showTerms();
  find("camera").textContent = camera ? words.cameraStop : words.camera;
  for (const name of Object.keys(STYLES)) find(`name-${name}`).textContent = labelOf(name);
}

function labelOf(style: string): string {
  if (style === "portrait-v1") return words.portrait_v1;
  if (style === "portrait-v2") return words.portrait_v2;
  return style.charAt(0).toUpperCase() + style.slice(1).replace("-", " ");
}

function cardOf(name: string, checked: boolean): HTMLElement {
  const card = document.createElement("label");
  const input = Object.assign(document.createElement("input"), { type: "radio", name: "style", value: name, checked });
  const picture = Object.assign(document.createElement("img"), { src: `cards/${name}.webp`, alt: "" });
  const label = Object.assign(document.createElement("span"), { id: `name-${name}` });
  card.title = STYLES[name]!.description;
  card.append(input, picture, label);
  return card;
}

function chosenStyle(): string {
  return document.querySelector<HTMLInputElement>("input[name=style]:checked")!.value;
}

/** What the chosen style's licence forbids. */
function showTerms(): void {
  find("terms").textContent = STYLES[chosenStyle()]!.free ? "" : words.not_free;
}

function chosenLook(): Look {
  return {
    strength: Number(find<HTMLInputElement>("strength").value),
    keepColor: find<HTMLInputElement>("keep-color").checked,
    faces: find<HTMLSelectElement>("faces").value as Faces,
    lines: find<HTMLSelectElement>("lines").value as Lines,
    fast: find<HTMLSelectElement>("precision").value === "fast",
  };
}

/** Shows a file in an image; what it showed before is let go. */
function show(image: HTMLImageElement, file: Blob): string {
  const old = shown.get(image);
  const url = URL.createObjectURL(file);
  if (old) setTimeout(() => URL.revokeObjectURL(old), 1000);
  shown.set(image, url);
  image.src = url;
  image.hidden = false;
  return url;
}

function choose(files: Iterable<File>): void {
  const chosen = [...files];
  if (!chosen[0]) return;
  stopCamera();
  if (client.busy) return;
  photos = chosen;
  show(preview, chosen[0]);
  list.show(photos, words.waiting);
  status.textContent = "";
}

async function paint(): Promise<void> {
  stopCamera();
  if (client.busy) return;
  if (!photos.length) {
    status.textContent = words.no_photo;
    find("photo").focus();
    return;
  }
  setBusy(true);
  list.show(photos, words.waiting);
  const [style, look, png] = [chosenStyle(), chosenLook(), find<HTMLSelectElement>("save").value === "png"];
  let done = 0;
  try {
    for (const [i, photo] of photos.entries()) {
      list.say(i, words.painting);
      const failure = await painted(i, photo, style, look, png ? "image/png" : photo.type);
      if (failure) list.say(i, status.textContent = sentenceOf(failure));
      else done++;
      if (failure?.why === "cancelled") break;
    }
    if (photos.length > 1) status.textContent = filled(words.count, { done, total: photos.length });
    await list.finish();
  } finally {
    setBusy(false);
  }
}

/** Paints one photo and shows it. Returns why that failed, null when it went well. */
async function painted(i: number, photo: File, style: string, look: Look, type: string): Promise<Failure | null> {
  progress.start();
  try {
    const { file, width, height, seconds } = await client.paint(photo, style, look, type, progress.at);
    progress.finish();
    show(before, photo);
    const link = find<HTMLAnchorElement>("download");
    link.href = show(after, file);
    const ending = file.type.split("/")[1]!.replace("jpeg", "jpg");
    link.download = list.add(i, file, `${nameOf(photo)}-${style}.${ending}`, words.download);
    after.alt = labelOf(style);
    find("result").hidden = false;
    find("result").scrollIntoView({ block: "nearest" }); // on a phone it lies below everything else
    status.dataset["seconds"] = String(seconds); // for scripts/bench_browser.py
    status.textContent = filled(words.done, { width, height, seconds: seconds.toFixed(1) });
    return null;
  } catch (error) {
    progress.stop();
    if (!(error instanceof Failure)) throw error;
    status.title = error.message;
    return error;
  }
}

function sentenceOf({ why }: Failure): string {
  return { unreadable: words.not_a_picture, memory: words.memory, failed: words.failed, cancelled: words.cancelled }[why];
}

function setBusy(busy: boolean): void {
  find<HTMLButtonElement>("paint").disabled = busy;
  find<HTMLInputElement>("photo").disabled = busy;
  find("cancel").hidden = !busy;
}

function nameOf(file: File): string {
  return file.name.replace(/\.[^.]*$/, "").replace(/[<>:"/\\|?*]/g, "_") || "photo";
}

async function switchCamera(): Promise<void> {
  if (camera) {
    stopCamera();
    return;
  }
  try {
    const paintFrame = (frame: ImageBitmap): Promise<ImageBitmap> => client.sketch(frame, chosenStyle());
    const onRate = (rate: number): void => void (find("rate").textContent = `${rate.toFixed(1)} / s`);
    camera = await Camera.started(find<HTMLCanvasElement>("sketch"), paintFrame, onRate);
  } catch {
    status.textContent = words.noCamera;
    return;
  }
  find("live").hidden = false;
  find("camera").textContent = words.cameraStop;
}

function stopCamera(): void {
  if (!camera) return;
  camera.stop();
  client.cancel();
  camera = null;
  find("live").hidden = true;
  find("camera").textContent = words.camera;
}

function listen(): void {
  const input = find<HTMLInputElement>("photo");
  const drop = find("drop");
  input.addEventListener("change", () => choose(input.files ?? []));
  drop.addEventListener("dragover", (event) => (event.preventDefault(), drop.classList.add("over")));
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    choose(event.dataTransfer?.files ?? []);
  });
  document.addEventListener("paste", (event) => choose(event.clipboardData?.files ?? []));
  find("styles").addEventListener("change", showTerms);
  find("paint").addEventListener("click", () => void paint());
  find("cancel").addEventListener("click", () => client.cancel());
  find("camera").addEventListener("click", () => void switchCamera());
  find("shot").addEventListener("click", () => {
    void camera?.shot().then((blob) => choose([new File([blob], "camera.png", { type: blob.type })]));
  });
  const strength = find<HTMLInputElement>("strength");
  strength.addEventListener("input", () => (find("strength-shown").textContent = strength.value));
  const split = find<HTMLInputElement>("split");
  split.addEventListener("input", () => split.parentElement!.style.setProperty("--split", `${split.value}%`));
  const language = find<HTMLSelectElement>("language");
  language.addEventListener("change", () => {
    localStorage.setItem("language", language.value);
    say(language.value as Language);
  });
}

/** Keeps everything on the device, so that the page works offline from now on. */
async function keep(): Promise<void> {
  if (!("serviceWorker" in navigator)) return;
  await navigator.serviceWorker.register("sw.js", { updateViaCache: "all" }); // no look for a newer one while it is fresh
  await navigator.serviceWorker.ready;
  find("offline").textContent = words.offline;
  document.documentElement.dataset["offline"] = "ready";
  client.start();
}

find("styles").append(...Object.keys(STYLES).map((name, i) => cardOf(name, i === 0)));
find("language").append(...LANGUAGES.map((code) => new Option(wordsOf(code).language_name, code)));
listen();
say(firstLanguage([asked.get("lang") ?? "", localStorage.getItem("language") ?? "", ...navigator.languages]));
void keep().catch(() => undefined); // without one it works as well, but needs the network
