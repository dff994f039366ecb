// The camera's picture, painted small and again and again at whatever rate the device gives.

const LEAST_PX = 160;
const MOST_PX = 640;
const SLOW_MS = 250; // longer than this and frames get smaller, a third of it and they get larger

/** A running camera. Frames go to `paint`, which gives back what is to be shown. */
export class Camera {
  private readonly video = document.createElement("video");
  private longerPx = 256;
  private running = true;

  private constructor(
    private readonly stream: MediaStream,
    private readonly canvas: HTMLCanvasElement,
    private readonly paint: (frame: ImageBitmap) => Promise<ImageBitmap>,
    private readonly onRate: (framesPerSecond: number) => void,
  ) {
    this.video.srcObject = stream;
    this.video.muted = true;
    this.video.playsInline = true;
  }

  /** Rejects when there is no camera, or it may not be used. */
  static async started(
    canvas: HTMLCanvasElement,
    paint: (frame: ImageBitmap) => Promise<ImageBitmap>,
    onRate: (framesPerSecond: number) => void,
  ): Promise<Camera> {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user" } });
    const camera = new Camera(stream, canvas, paint, onRate);
    await camera.video.play();
    void camera.loop();
    return camera;
  }

  stop(): void {
    this.running = false;
    for (const track of this.stream.getTracks()) track.stop();
  }

  /** The picture of this moment, in full size. */
  async shot(): Promise<Blob> {
    const canvas = new OffscreenCanvas(this.video.videoWidth, this.video.videoHeight);
    canvas.getContext("2d")!.drawImage(this.video, 0, 0);
    return canvas.convertToBlob({ type: "image/png" });
  }

  private async loop(): Promise<void> {
    while (this.running) {
      const started = performance.now();
      const scale = Math.min(1, this.longerPx / Math.max(this.video.videoWidth, this.video.videoHeight));
      const frame = await createImageBitmap(this.video, {
        resizeWidth: Math.max(1, Math.round(this.video.videoWidth * scale)),
        resizeHeight: Math.max(1, Math.round(this.video.videoHeight * scale)),
      });
      const anime = await this.paint(frame).catch(() => null);
      if (!anime || !this.running) break;
      [this.canvas.width, this.canvas.height] = [anime.width, anime.height];
      this.canvas.getContext("2d")!.drawImage(anime, 0, 0);
      anime.close();
      const took = performance.now() - started;
      this.onRate(1000 / took);
      if (took > SLOW_MS) this.longerPx = Math.max(LEAST_PX, this.longerPx - 32);
      else if (took < SLOW_MS / 3) this.longerPx = Math.min(MOST_PX, this.longerPx + 32);
      await new Promise(requestAnimationFrame);
    }
  }
}
