// Declarations: the package as a user's compiler reads it, and its entry points.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../../package.json" with { type: "json" };
import type { Declarations } from "./docstrings.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Compiles `lib/` into a folder of the system that is removed at once. */
export function declarationsOfLib(): { readonly declarations: Declarations; readonly entries: readonly string[] } {
  const entries = Object.values(manifest.exports).flatMap((target) =>
    typeof target === "string" ? [] : [target.types.replace("./dist/", "")],
  );
  const out = mkdtempSync(path.join(tmpdir(), "errand-declarations-"));
  try {
    const require = createRequire(import.meta.url);
    const tsc = path.join(path.dirname(require.resolve("typescript/package.json")), "bin/tsc");
    execFileSync(
      process.execPath,
      [tsc, "-p", "tsconfig.build.json", "--declaration", "--emitDeclarationOnly", "--outDir", out],
      { cwd: root },
    );
    const paths = readdirSync(out, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".d.ts"));
    const declarations = new Map(
      paths.map((file) => [file.replaceAll("\\", "/"), readFileSync(path.join(out, file), "utf8")]),
    );
    return { declarations, entries };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}
