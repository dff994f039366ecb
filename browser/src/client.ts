// The page's side of the worker: one painting or camera frame at a time, stopped by ending the worker.

import type { Look } from "./constants";
import type { Answer, Request, Why } from "./messages";
import type { Setting, Verdicts } from "./runtime";
import type { OnProgress } from "./stylizer";

export type Painted = Extract<Answer, { kind: "painted" }>;

/** Why a painting failed: the words of the worker, or that it was cancelled. */
export class Failure extends Error {
  constructor(
    readonly why: Why,
    detail = "",
  ) {
    super(detail || why);
  }
}

const MOST_THREADS = 8; // more gain nothing
const VERDICTS = "verdicts"; // where it is kept what the graphics card is good for

export class Client {
  private worker: Worker | null = null;
  private waiting: { resolve: (answer: Answer) => void; reject: (error: Failure) => void } | null = null;
  private onProgress: OnProgress = () => undefined;

  get busy(): boolean {
    return this.waiting !== null;
  }

  async paint(file: Blob, style: string, look: Look, type: string, onProgress: OnProgress): Promise<Painted> {
    this.onProgress = onProgress;
    return (await this.asked({ kind: "paint", file, style, look, type })) as Painted;
  }

  async sketch(bitmap: ImageBitmap, style: string): Promise<ImageBitmap> {
    const answer = await this.asked({ kind: "frame", bitmap, style }, [bitmap]);
    return (answer as Extract<Answer, { kind: "frame" }>).bitmap;
  }

  /** Ends what runs, at once; the next painting starts a new worker. */
  cancel(): void {
    this.worker?.terminate();
    this.worker = null;
    this.settled()?.reject(new Failure("cancelled"));
  }

  /** Starts the worker, so that the first painting finds it ready. */
  start(): Worker {
    if (this.worker) return this.worker;
    this.worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }: MessageEvent<Answer>): void => this.heard(data);
    this.worker.onerror = (event): void => {
      this.worker = null;
      this.settled()?.reject(new Failure("failed", event.message));
    };
    const request: Request = { kind: "start", ...settingHere() };
    this.worker.postMessage(request);
    return this.worker;
  }

  private asked(request: Request, moved: Transferable[] = []): Promise<Answer> {
    if (this.waiting) return Promise.reject(new Failure("failed", "busy"));
    const worker = this.start();
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      worker.postMessage(request, moved);
    });
  }

  private heard(answer: Answer): void {
    if (answer.kind === "progress") this.onProgress(answer.done, answer.total);
    else if (answer.kind === "started") document.documentElement.dataset["device"] = answer.device;
    else if (answer.kind === "verdict") remember(answer.file, answer.same);
    else if (answer.kind === "failed") this.settled()?.reject(new Failure(answer.why, answer.detail));
    else this.settled()?.resolve(answer);
  }

  private settled(): Client["waiting"] {
    const waiting = this.waiting;
    this.waiting = null;
    return waiting;
  }
}

/** Threads share memory, which browsers allow to isolated pages alone. The address may say ?threads=1&device=wasm. */
function settingHere(): Setting {
  const asked = new URLSearchParams(location.search);
  const most = Math.min(Number(asked.get("threads")) || MOST_THREADS, navigator.hardwareConcurrency || 1, MOST_THREADS);
  const device = asked.get("device") as Setting["device"];
  return { base: new URL("./", location.href).href, threads: crossOriginIsolated ? most : 1, device, verdicts: verdicts() };
}

function verdicts(): Verdicts {
  return JSON.parse(localStorage.getItem(VERDICTS) ?? "{}") as Verdicts;
}

function remember(file: string, same: boolean): void {
  localStorage.setItem(VERDICTS, JSON.stringify({ ...verdicts(), [file]: same }));
}
