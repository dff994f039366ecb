// The page's side of the worker: one painting or camera frame at a time, stopped by ending the worker.

import type { Look } from "./constants";
import type { Answer, Request } from "./messages";
import type { OnProgress } from "./stylizer";

export type Painted = Extract<Answer, { kind: "painted" }>;

/** Why a painting failed: the words of the worker, or that it was cancelled. */
export class Failure extends Error {
  constructor(
    readonly why: "unreadable" | "memory" | "failed" | "cancelled",
    detail = "",
  ) {
    super(detail || why);
  }
}

const MOST_THREADS = 8; // more gain nothing

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

  private asked(request: Request, moved: Transferable[] = []): Promise<Answer> {
    if (this.waiting) return Promise.reject(new Failure("failed", "busy"));
    this.worker ??= this.started();
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.worker!.postMessage(request, moved);
    });
  }

  private started(): Worker {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<Answer>): void => {
      if (data.kind === "progress") this.onProgress(data.done, data.total);
      else if (data.kind === "failed") this.settled()?.reject(new Failure(data.why, data.detail));
      else this.settled()?.resolve(data);
    };
    worker.onerror = (event): void => {
      this.worker = null;
      this.settled()?.reject(new Failure("failed", event.message));
    };
    const base = new URL("./", location.href).href;
    // Not by itself: the pictures are those of WebAssembly to a level, but no graphics card was at hand to measure on.
    const device = asked("device") === "webgpu" && "gpu" in navigator ? "webgpu" : "wasm";
    const start: Request = { kind: "start", base, threads: threads(), device };
    worker.postMessage(start);
    return worker;
  }

  private settled(): Client["waiting"] {
    const waiting = this.waiting;
    this.waiting = null;
    return waiting;
  }
}

/** What stands in the page's address: ?threads=1&device=webgpu. */
function asked(name: string): string | null {
  return new URLSearchParams(location.search).get(name);
}

/** Threads share memory, which browsers allow to isolated pages alone; ?threads=1 asks for fewer. */
function threads(): number {
  const wanted = Number(asked("threads")) || MOST_THREADS;
  return globalThis.crossOriginIsolated ? Math.min(wanted, navigator.hardwareConcurrency || 1, MOST_THREADS) : 1;
}
