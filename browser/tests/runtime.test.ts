// Which device a network runs on, with ONNX Runtime stood in for: WebAssembly answers 0, the graphics card what it is told.

import { beforeEach, expect, test, vi } from "vitest";

import { prepare, run, tensorOf, type Device } from "../src/runtime";

const card = vi.hoisted(() => ({ answer: (): number => 0, runs: 0 }));

const fake = vi.hoisted(() => () => ({
  env: { wasm: {} },
  Tensor: class {
    constructor(
      readonly type: string,
      readonly data: Float32Array,
      readonly dims: number[],
    ) {}
  },
  InferenceSession: {
    create: (_: string, { executionProviders: [on] }: { executionProviders: string[] }) =>
      Promise.resolve({
        inputNames: ["x"],
        outputNames: ["y"],
        release: () => Promise.resolve(),
        run: () => {
          if (on === "webgpu") card.runs++;
          return Promise.resolve({ y: { data: new Float32Array(3).fill(on === "webgpu" ? card.answer() : 0) } });
        },
      }),
  },
}));
vi.mock("onnxruntime-web/wasm", fake);
vi.mock("onnxruntime-web/webgpu", fake);

const told: [string, boolean][] = [];

function started(device: Device | null, verdicts = {}): Promise<Device> {
  return prepare({ base: "", threads: 1, device, verdicts }, (file, same) => told.push([file, same]));
}

const paint = async (): Promise<unknown> => (await run("cel.onnx", tensorOf(new Float32Array(3), [1, 3])))[0]!.data;

function withAdapter(info: object | null): void {
  vi.stubGlobal("navigator", { gpu: { requestAdapter: () => Promise.resolve(info && { info }) } });
}

beforeEach(() => {
  [told.length, card.runs, card.answer] = [0, 0, () => 0];
  withAdapter({ architecture: "ampere" });
});

test("a graphics card that paints the same is taken by itself, and tried once", async () => {
  expect(await started(null)).toBe("webgpu");
  await paint();
  await paint();
  expect(told).toEqual([["cel.onnx", true]]);
  expect(card.runs).toBe(3);
});

test("what is known of a card is not tried again", async () => {
  await started(null, { "cel.onnx": false });
  await paint();
  expect([told, card.runs]).toEqual([[], 0]);
});

test("a card that paints otherwise is left alone, and that is told", async () => {
  card.answer = () => 0.1;
  await started(null);
  expect(await paint()).toEqual(new Float32Array(3));
  expect([told, card.runs]).toEqual([[["cel.onnx", false]], 1]);
});

test("where a card fails in the middle, WebAssembly paints", async () => {
  await started(null, { "cel.onnx": true });
  card.answer = () => {
    throw new Error("device lost");
  };
  expect(await paint()).toEqual(new Float32Array(3));
  expect(told).toEqual([["cel.onnx", false]]);
});

test("a processor in place of a card is none", async () => {
  for (const info of [null, { isFallbackAdapter: true }, { architecture: "swiftshader" }]) {
    withAdapter(info);
    expect(await started(null)).toBe("wasm");
  }
  expect(await started("webgpu")).toBe("webgpu");
});
