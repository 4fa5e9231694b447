// Child: a worker process, what it told, and its end.
//
// The worker is compiled beside a copy of the library in which segments are short and compaction comes often: what takes a week of
// work in use happens several times in a process that lives for a tenth of a second.

import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { promisify } from "node:util";
import type { Told } from "./told.js";
import type { Orders } from "./worker.js";

/** A constant of the library, and what it is for the worker. */
const SHORTER: readonly { readonly file: string; readonly constant: string; readonly value: number }[] = [
  { file: "lib/core/durable/committer.js", constant: "COMPACT_FROM", value: 150 },
  { file: "lib/core/durable/committer.js", constant: "COMPACT_TIMES", value: 1 },
];

export interface Compiled {
  readonly worker: string;
  remove(): Promise<void>;
}

/** Into a folder under node_modules, where the library's own imports resolve. */
export async function compiledWorker(project: string): Promise<Compiled> {
  const cache = path.join(project, "node_modules", ".cache");
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(path.join(cache, "errand-crash-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    await writeFile(
      path.join(folder, "package.json"),
      manifestFor(await readFile(path.join(project, "package.json"), "utf8")),
    );
    await writeFile(
      path.join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: path.join(project, "tsconfig.json"),
        compilerOptions: {
          ...{ noEmit: false, noCheck: true, declaration: false, rootDir: project, outDir: folder },
          // Node starts it in two thirds of the time, and it is started often.
          ...{ module: "commonjs", moduleResolution: "bundler", verbatimModuleSyntax: false },
        },
        files: [path.join(project, "test/crash/worker.ts")],
        include: [],
      }),
    );
    const require = createRequire(path.join(project, "package.json"));
    const tsc = path.join(path.dirname(require.resolve("typescript/package.json")), "bin", "tsc");
    await promisify(execFile)(process.execPath, [tsc, "-p", folder]);
    for (const { file, constant, value } of SHORTER) await shorten(path.join(folder, file), constant, value);
    return { worker: path.join(folder, "test/crash/worker.js"), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** So that "errand" is the copy: its exports are those of the package, of `lib` instead of `dist`. */
function manifestFor(manifest: string): string {
  const { name, exports } = JSON.parse(manifest);
  return JSON.stringify({ name, type: "commonjs", exports }).replaceAll("./dist/", "./lib/");
}

async function shorten(file: string, constant: string, value: number): Promise<void> {
  const text = await readFile(file, "utf8");
  const shorter = text.replace(new RegExp(`\\b${constant} = [\\d_ *]+;`), `${constant} = ${value};`);
  if (shorter === text) throw new Error(`There is no constant ${constant} in ${path.basename(file)} any more`);
  await writeFile(file, shorter);
}

export class Child {
  readonly told: Told[] = [];
  /** Resolves with how it ended, when all that it told was read. */
  readonly ended: Promise<{
    readonly signal: NodeJS.Signals | null;
    readonly code: number | null;
    readonly stderr: string;
  }>;
  readonly #kill: () => void;
  readonly #watching = new Set<() => void>();

  constructor({ worker }: Compiled, orders: Orders) {
    const child = spawn(process.execPath, [worker, JSON.stringify(orders)], {
      stdio: ["ignore", "ignore", "pipe", "pipe"],
    });
    let stderr = "";
    child.stderr?.on("data", (chunk) => (stderr += String(chunk)));
    this.#kill = () => child.kill("SIGKILL");
    let rest = "";
    const pipe = child.stdio[3];
    if (pipe === null || pipe === undefined || !("setEncoding" in pipe)) throw new Error("The worker has no pipe");
    pipe.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      // A last line that was cut short was not told.
      rest = lines.pop() ?? "";
      for (const line of lines) this.told.push(JSON.parse(line));
      for (const look of this.#watching) look();
    });
    this.ended = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => resolve({ code, signal, stderr }));
    });
  }

  kill(): void {
    this.#kill();
  }

  /** Resolves when it has told something like this, or has ended. */
  async until(isIt: (told: Told) => boolean): Promise<void> {
    let seen = 0;
    let look = (): void => undefined;
    const told = new Promise<void>((resolve) => {
      look = () => {
        while (seen < this.told.length) {
          const next = this.told[seen++];
          if (next !== undefined && isIt(next)) resolve();
        }
      };
    });
    this.#watching.add(look);
    look();
    await Promise.race([told, this.ended]);
    this.#watching.delete(look);
  }
}
