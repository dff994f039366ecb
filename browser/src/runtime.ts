// ONNX Runtime: networks run in WebAssembly, or on the graphics card once that has shown to paint the same.

import type * as Ort from "onnxruntime-web/wasm";

import { enlarge, STYLES } from "./constants";

export type Device = "wasm" | "webgpu";

/** By a network's file, whether the graphics card paints as WebAssembly does; what is missing is tried once. */
export type Verdicts = Record<string, boolean>;

/** What the runtime starts from. base: the page's address; device: null for the card where there is a real one. */
export interface Setting {
  readonly base: string;
  readonly threads: number;
  readonly device: Device | null;
  readonly verdicts: Verdicts;
}

const SAMPLE_PX = 64;
const MOST_APART = 2 / 127.5; // in the networks' range of -1 to 1: two levels
const STYLE_FILES = new Set(Object.values(STYLES).map((style) => style.file));
const ON_CARD = new Set([...STYLE_FILES, enlarge.network]);

const sessions = new Map<string, Promise<Ort.InferenceSession>>();
let ort: typeof Ort;
let setting: Setting;
let device: Device;
let verdicts: Verdicts;
let onVerdict: (file: string, same: boolean) => void;

/** Loads ONNX Runtime, and tells what it runs on. tell: called with each new verdict. */
export async function prepare(asked: Setting, tell: typeof onVerdict): Promise<Device> {
  [setting, verdicts, onVerdict, device] = [asked, { ...asked.verdicts }, tell, "wasm"];
  sessions.clear();
  if (asked.device === "webgpu" || (asked.device === null && (await hasCard()))) {
    try {
      configure(await import("onnxruntime-web/webgpu"));
      await (await created(enlarge.network, "webgpu")).release();
      return (device = "webgpu");
    } catch {
      // No driver that is good enough, or its runtime was never fetched and the network is off.
    }
  }
  configure(await import("onnxruntime-web/wasm"));
  return device;
}

/** All outputs of a network, in their order; inputs in theirs. */
export async function run(file: string, ...inputs: Ort.Tensor[]): Promise<readonly Ort.Tensor[]> {
  if (!sessions.has(file)) sessions.set(file, opened(file));
  const session = await sessions.get(file)!;
  try {
    return await answered(session, inputs);
  } catch (error) {
    if (!isOnCard(file)) throw error;
    judge(file, false);
    sessions.delete(file);
    return run(file, ...inputs);
  }
}

export function tensorOf(values: Float32Array, shape: readonly number[]): Ort.Tensor {
  return new ort.Tensor("float32", values, shape);
}

/** A file that lies beside the page. */
export async function fetched(path: string): Promise<ArrayBuffer> {
  const response = await fetch(setting.base + path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.arrayBuffer();
}

function configure(runtime: typeof Ort): void {
  ort = runtime;
  ort.env.wasm.wasmPaths = `${setting.base}ort/`;
  ort.env.wasm.numThreads = setting.threads;
  ort.env.logLevel = "error";
}

/** Whether a network runs on the graphics card, as far as is known. */
export function isOnCard(file: string): boolean {
  return device === "webgpu" && ON_CARD.has(file) && verdicts[file] !== false;
}

async function opened(file: string): Promise<Ort.InferenceSession> {
  if (isOnCard(file) && verdicts[file] === undefined) judge(file, await paintsTheSame(file));
  return created(file, isOnCard(file) ? "webgpu" : "wasm");
}

function judge(file: string, same: boolean): void {
  verdicts[file] = same;
  onVerdict(file, same);
}

/** A network of networks/; WebAssembly has a faster graph of some, without weights (scripts/browser_networks.py). */
function created(file: string, on: Device): Promise<Ort.InferenceSession> {
  const own = `${setting.base}networks/${file}`;
  if (on === "webgpu" || !STYLE_FILES.has(file)) return ort.InferenceSession.create(own, { executionProviders: [on] });
  const externalData = [{ path: file, data: own }];
  return ort.InferenceSession.create(`${setting.base}graphs/${file}`, { executionProviders: [on], externalData });
}

async function answered(session: Ort.InferenceSession, inputs: readonly Ort.Tensor[]): Promise<readonly Ort.Tensor[]> {
  const fed = Object.fromEntries(inputs.map((tensor, i) => [session.inputNames[i]!, tensor]));
  const answers = await session.run(fed);
  return session.outputNames.map((name) => answers[name]!);
}

/** Whether the card paints a small picture as WebAssembly does. */
async function paintsTheSame(file: string): Promise<boolean> {
  const shape = [1, 3, SAMPLE_PX, SAMPLE_PX];
  const waves = Float32Array.from({ length: 3 * SAMPLE_PX ** 2 }, (_, i) => Math.sin(i / 5) * Math.cos(i / 331));
  const painted = async (on: Device): Promise<Float32Array> => {
    const session = await created(file, on);
    const inputs = [tensorOf(waves, shape), tensorOf(new Float32Array(3), [1, 3])];
    const [anime] = await answered(session, inputs.slice(0, session.inputNames.length));
    await session.release();
    return anime!.data as Float32Array;
  };
  try {
    const [mine, card] = [await painted("wasm"), await painted("webgpu")];
    return mine.every((value, i) => Math.abs(value - card[i]!) <= MOST_APART);
  } catch {
    return false;
  }
}

interface Adapter {
  readonly isFallbackAdapter?: boolean; // of older browsers
  readonly info?: { readonly isFallbackAdapter?: boolean; readonly architecture?: string };
}

/** Whether there is a graphics card, and not the processor in its place. */
async function hasCard(): Promise<boolean> {
  const { gpu } = navigator as { gpu?: { requestAdapter: () => Promise<Adapter | null> } };
  const adapter = await gpu?.requestAdapter().catch(() => null);
  if (!adapter) return false;
  return !adapter.isFallbackAdapter && !adapter.info?.isFallbackAdapter && adapter.info?.architecture !== "swiftshader";
}
