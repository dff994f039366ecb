// The worker: everything that takes time happens here, so that the page stays responsive.

import { decoded, encoded, frameOf, imageDataOf, type Photo } from "./files";
import type { Answer, Request } from "./messages";
import { prepare } from "./runtime";
import { painted, sketched } from "./stylizer";

const say = (answer: Answer, moved: Transferable[] = []): void => postMessage(answer, { transfer: moved });

addEventListener("message", ({ data }: MessageEvent<Request>) => {
  void handled(data).catch((error: unknown) => {
    const detail = String(error);
    say({ kind: "failed", why: /alloc|memory/i.test(detail) ? "memory" : "failed", detail });
  });
});

let started: Promise<void>;

async function handled(request: Request): Promise<void> {
  if (request.kind === "start") {
    const onVerdict = (file: string, same: boolean): void => say({ kind: "verdict", file, same });
    started = prepare(request, onVerdict).then((device) => say({ kind: "started", device }));
  }
  await started;
  if (request.kind === "paint") await paint(request);
  else if (request.kind === "frame") await sketch(request.bitmap, request.style);
}

async function paint({ file, style, look, type }: Extract<Request, { kind: "paint" }>): Promise<void> {
  const began = performance.now();
  let photo: Photo;
  try {
    photo = await decoded(file);
  } catch (error) {
    say({ kind: "failed", why: "unreadable", detail: String(error) });
    return;
  }
  const anime = await painted(photo.rgb, style, look, (done, total) => say({ kind: "progress", done, total }));
  const seconds = (performance.now() - began) / 1000;
  const result = await encoded(anime, photo, type);
  say({ kind: "painted", file: result, width: anime.width, height: anime.height, seconds });
}

async function sketch(frame: ImageBitmap, style: string): Promise<void> {
  const anime = await sketched(frameOf(frame), style);
  frame.close();
  const bitmap = await createImageBitmap(imageDataOf(anime));
  say({ kind: "frame", bitmap }, [bitmap]);
}
