// Programs in a process of their own: what only a whole process can show (its warnings, its exit, its memory).
//
// The library is compiled once for each test file that asks, into a folder under node_modules, where its own imports
// resolve; the folder goes when the file's tests are over.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const project = fileURLToPath(new URL("../../", import.meta.url));
const execute = promisify(execFile);

/** The compiled library: programs in its folder import `./lib/index.js`. */
export interface Compiled {
  readonly folder: string;
  remove(): Promise<void>;
}

export async function compiled(): Promise<Compiled> {
  const cache = path.join(project, "node_modules", ".cache");
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(path.join(cache, "errand-process-"));
  const tsc = path.join(path.dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
  await writeFile(path.join(folder, "package.json"), JSON.stringify({ type: "module" }));
  const outDir = path.join(folder, "lib");
  const modules = ["--noCheck", "--emitDeclarationOnly", "false", "--declaration", "false", "--outDir", outDir];
  await execute(process.execPath, [tsc, "-p", "tsconfig.build.json", ...modules], { cwd: project });
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs JavaScript beside the compiled library until its process ends by itself; after 100 seconds it is killed. */
export async function runProgram({ folder }: Compiled, source: string, flags: readonly string[] = []): Promise<Ran> {
  const file = path.join(await mkdtemp(path.join(folder, "program-")), "main.mjs");
  await writeFile(file, source);
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [...flags, file], { timeout: 100_000 }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr });
    });
  });
}
