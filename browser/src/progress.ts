// A bar that moves on by the clock between two reports: a painting may be one long step.

const LEAST_SECONDS = 1;
const UNKNOWN_RATE = 3e5; // units of work a second before anything was measured on this device
const LEARNT = "rate"; // where the device's own rate is kept

export class Progress {
  private started = 0;
  private total = 0;
  private done = 0;
  private timer = 0;

  /** onSeconds: called several times a second with the whole seconds that are left. */
  constructor(
    private readonly bar: HTMLProgressElement,
    private readonly onSeconds: (seconds: number) => void,
  ) {}

  start(): void {
    this.started = performance.now();
    this.total = this.done = this.bar.value = 0;
    this.bar.hidden = false;
    this.timer = window.setInterval(() => this.tick(), 200);
    this.tick();
  }

  readonly at = (done: number, total: number): void => {
    [this.done, this.total] = [done, total];
    this.tick();
  };

  /** It went well: what was learnt of the device's speed is kept. */
  finish(): void {
    if (this.done > 0) localStorage.setItem(LEARNT, String(this.done / this.elapsed()));
    this.stop();
  }

  stop(): void {
    window.clearInterval(this.timer);
    this.bar.hidden = true;
  }

  private tick(): void {
    const rate = Number(localStorage.getItem(LEARNT)) || UNKNOWN_RATE;
    const expected = Math.max(LEAST_SECONDS, this.total / rate);
    const share = Math.min(0.97, Math.max(this.elapsed() / expected, this.total ? this.done / this.total : 0));
    this.bar.value = Math.max(this.bar.value, share);
    if (this.total) this.onSeconds(Math.max(1, Math.ceil(Math.min(expected, this.elapsed() / share) * (1 - share))));
  }

  private elapsed(): number {
    return Math.max(0.001, (performance.now() - this.started) / 1000);
  }
}
