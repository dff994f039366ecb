import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", "node_modules"] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  {
    rules: {
      // Pixels are read by index in every loop, inside bounds that the loop itself sets.
      "@typescript-eslint/no-non-null-assertion": "off",
      eqeqeq: "error",
    },
  },
  {
    files: ["src/sw.js"],
    languageOptions: {
      globals: { self: true, caches: true, fetch: true, Headers: true, Response: true },
    },
  },
);
