import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import manifest from "./package.json" with { type: "json" };

// "errand" and its subpaths are the sources under test: ./dist/x.js of package.json's exports is lib/x.ts.
const sources = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
  typeof target === "string"
    ? []
    : {
        find: new RegExp(`^${manifest.name}${subpath.slice(1)}$`),
        replacement: fileURLToPath(
          new URL(target.default.replace(/^\.\/dist\/(.*)\.js$/, "./lib/$1.ts"), import.meta.url),
        ),
      },
);

export default defineConfig({
  resolve: { alias: sources },
  test: {
    environment: "node",
    include: ["test/**/*.test.ts"],
    // One test file a core: the default leaves one free, which on two cores is half of them.
    maxWorkers: "100%",
    // So long that a machine with other work ends no test; what hangs ends there.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    typecheck: {
      enabled: true,
      // The `tsc` in node_modules/.bin is that of TypeScript 6, which the bundler of declarations needs.
      checker: fileURLToPath(new URL("node_modules/typescript/bin/tsc", import.meta.url)),
      include: ["test/**/*.test-d.ts"],
      tsconfig: "./tsconfig.json",
    },
    coverage: {
      provider: "v8",
      include: ["lib/**/*.ts"],
    },
  },
});
