// Blocks of code as programs: each in a module of its own, compiled as the project is, run as a user runs it.
//
// They stand in a folder under build/, so that "errand" is the built package and the project's dependencies
// resolve; the folder goes when the file's tests are over. `npm test` builds first.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Block } from "./markdown.js";

export interface Ran {
  /** `null` when it was killed because its time was over. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Programs {
  /** What the compiler says of this block, a line each; the numbers are those of the document. */
  errorsOf(block: Block): readonly string[];
  /** `env` is added to the environment of the program. */
  run(block: Block, timeoutMs?: number, env?: Readonly<Record<string, string>>): Promise<Ran>;
  remove(): Promise<void>;
}

/** Shorter than the time limit of a test, so that what hangs is named. */
const LONGEST_MS = 100_000;

const build = fileURLToPath(new URL("../../build/", import.meta.url));
const tsc = join(createRequire(import.meta.url).resolve("typescript/package.json"), "..", "bin", "tsc");

const config = {
  extends: "../../tsconfig.json",
  compilerOptions: { noEmit: false, declaration: false, rootDir: ".", outDir: "out", paths: {} },
  include: ["*.ts"],
};

export async function compiled(blocks: readonly Block[]): Promise<Programs> {
  await mkdir(build, { recursive: true });
  const folder = await mkdtemp(join(build, "docs-"));
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
  // Blocks of several documents may begin at the same line, so a module has the place of its block.
  const nameOf = (block: Block): string => `block-${blocks.indexOf(block)}`;
  const isOf = (block: Block, error: string): boolean => error.startsWith(`${nameOf(block)}.ts(`);
  for (const block of blocks) await writeFile(join(folder, `${nameOf(block)}.ts`), block.code);
  const { stdout, stderr } = await node([tsc, "-p", folder, "--pretty", "false"], folder, LONGEST_MS);
  const errors = `${stdout}${stderr}`.split("\n").filter((line) => /\berror\b/u.test(line));
  const strays = errors.filter((error) => !blocks.some((block) => isOf(block, error)));
  if (strays.length > 0) throw new Error(strays.join("\n"));

  return {
    errorsOf: (block) => errors.filter((error) => isOf(block, error)).map((error) => inDocument(block, error)),
    run: (block, timeoutMs = LONGEST_MS, env = {}) =>
      node([join(folder, "out", `${nameOf(block)}.js`)], folder, timeoutMs, env),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

function inDocument(block: Block, error: string): string {
  return error.replace(/^[^(]*\((\d+),(\d+)\)/u, (_, line, column) => `${block.line + Number(line) - 1}:${column}`);
}

function node(
  args: readonly string[],
  cwd: string,
  timeout: number,
  added: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const env = { ...process.env, ...added };
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, { cwd, timeout, env, killSignal: "SIGKILL" }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}
