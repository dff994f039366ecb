import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import { defineConfig, type Plugin } from "vite";

import constants from "./src/constants.json";

const ROOT = fileURLToPath(new URL(".", import.meta.url));
const OUT = join(ROOT, "dist");
const BUNDLES = join(ROOT, "..", "src", "photo2anime", "bundles");
const RUNTIMES = ["ort-wasm-simd-threaded", "ort-wasm-simd-threaded.asyncify"]; // the latter for WebGPU, on request alone
const RUNTIME = join(ROOT, "node_modules", "onnxruntime-web", "dist");

/** Copies ONNX Runtime and the shipped networks beside the page, and writes the service worker with all their names. */
function everythingBeside(): Plugin {
  return {
    name: "everything-beside",
    apply: "build",
    closeBundle() {
      const styles = Object.values(constants.styles).flatMap((style) => [style.file, style.fast_file ?? style.file]);
      const networks = new Set([...styles, constants.enlarge.network, constants.faces.detector]);
      copied(BUNDLES, "networks", [...networks, constants.faces.detector.replace(".onnx", ".LICENSE")]);
      copied(RUNTIME, "ort", RUNTIMES.flatMap((name) => [`${name}.mjs`, `${name}.wasm`]));
      copied(join(ROOT, "src"), ".", ["sw.js"]);
      const files = filesIn(OUT).filter((file) => file !== "sw.js" && !file.includes(RUNTIMES[1]!)).sort();
      const version = createHash("sha256");
      for (const file of files) version.update(file).update(readFileSync(join(OUT, file)));
      const code = readFileSync(join(OUT, "sw.js"), "utf-8")
        .replace('"VERSION"', JSON.stringify(version.digest("hex").slice(0, 16)))
        .replace('["FILES"]', JSON.stringify(files));
      writeFileSync(join(OUT, "sw.js"), code);
    },
  };
}

function copied(from: string, to: string, names: string[]): void {
  mkdirSync(join(OUT, to), { recursive: true });
  for (const name of names) cpSync(join(from, name), join(OUT, to, name));
}

function filesIn(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesIn(path) : [relative(OUT, path)];
  });
}

export default defineConfig({
  root: ROOT,
  base: "./", // wherever it is put
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, outDir: OUT, emptyOutDir: true },
  worker: { format: "es" },
  // ONNX Runtime's own loader stays a file of its own: its threads start from it.
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "browser", "module", "import", "default"] },
  plugins: [everythingBeside()],
  test: { include: ["tests/*.test.ts"], testTimeout: 60_000 },
} as Parameters<typeof defineConfig>[0]);
