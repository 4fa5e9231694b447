// The programs of the bench: each says what it takes, runs small, writes its figures and checks its own work.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = await readFile(join(root, "bench", "README.md"), "utf8");
/** Each row of the first table begins with one. */
const [table = ""] = page.split("\n## ");
const programs = [...table.matchAll(/^\| `([\w-]+)` \|/gmu)].map(([, name = ""]) => name);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "errand-bench-test-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}
function node(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, { cwd: root, timeout: 500_000 }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}
const bench = (program: string, ...flags: readonly string[]): Promise<Ended> =>
  node("--expose-gc", join("build", "bench", `${program}.js`), ...flags);

test("the page names the programs that `npm run bench` runs", async () => {
  const { stdout } = await bench("all", "--help");
  const [, named = ""] = /^Runs (.*), or those that are named\.$/mu.exec(stdout) ?? [];
  expect(programs.toSorted()).toEqual(named.split(", ").toSorted());
});

test.each([...programs, "all", "append-history"])("%s has --help", async (program) => {
  const { code, stdout } = await bench(program, "--help");
  expect(code).toBe(0);
  expect(stdout).toContain("--help");
});

test("a line of Node that is not supported is refused, and a program that is not there", async () => {
  const wrongLine = await bench("all", "--node", "21", "--quick");
  expect(wrongLine.code).toBe(1);
  expect(wrongLine.stderr).toContain("there is no line of Node 21, only 20, 22, 24, 26");
  const wrongProgram = await bench("all", "swapn");
  expect(wrongProgram.code).toBe(1);
  expect(wrongProgram.stderr).toContain("there is no program swapn");
});

describe("the binary of a line of Node", () => {
  test("is the one that runs, where it is of that line", async () => {
    const [own = ""] = process.versions.node.split(".");
    const { code, stdout } = await node(join(".ci", "node-line.mjs"), own);
    expect(code).toBe(0);
    expect(stdout).toBe(`${process.execPath}\n`);
  });

  test("is not looked for without the number of a line", async () => {
    const { code, stderr } = await node(join(".ci", "node-line.mjs"), "lts");
    expect(code).toBe(2);
    expect(stderr).toContain("node-line.mjs 22");
  });
});

// ── each runs small ──────────────────────────────────────────────────────

interface Written {
  readonly bench: string;
  readonly machine: { readonly node: string };
}
async function small<T>(program: string, ...flags: readonly string[]): Promise<T & Written> {
  const file = join(folder, `${program}.json`);
  const { code, stderr } = await bench(program, "--quick", "--repeats", "1", "--json", file, ...flags);
  expect(code, stderr).toBe(0);
  const written = JSON.parse(await readFile(file, "utf8")) as T & Written;
  expect(written).toMatchObject({ bench: program, machine: { node: process.version } });
  return written;
}
interface Named {
  readonly cases: readonly { readonly name: string }[];
}
const namesOf = ({ cases }: Named): readonly string[] => cases.map(({ name }) => name);

test("cold-steady measures each condition in processes of its own, three cases in each", async () => {
  interface Pass {
    readonly collect: string;
    readonly world: string;
    readonly tasks: number;
    readonly cpuUs: { readonly [who: string]: readonly number[] };
  }
  const { passes } = await small<{ readonly passes: readonly Pass[] }>(
    "cold-steady",
    "--tasks",
    "50",
    "--warmups",
    "0",
    "--processes",
    "2",
  );
  const conditions = passes.map(({ collect, world, tasks }) => `${collect} ${world} ${tasks}`);
  expect(new Set(conditions).size).toBe(4);
  expect(conditions).toContain("full with AsyncLocalStorage 50");
  for (const { cpuUs } of passes) {
    expect(Object.keys(cpuUs)).toEqual(["pQueue", "byHand", "errand"]);
    // A round in each of two processes.
    for (const samples of Object.values(cpuUs)) expect(samples).toHaveLength(2);
  }
});

test("spawn measures one case of the collector where --collect names it", async () => {
  const { passes } = await small<{ readonly passes: readonly { readonly collect: string }[] }>(
    "spawn",
    "--tasks",
    "50",
    "--warmups",
    "0",
    "--collect",
    "full",
  );
  expect(passes.map(({ collect }) => collect)).toEqual(["full", "full"]);
});

test("first-tasks measures fresh processes and processes that were idle", async () => {
  const names = namesOf(await small<Named>("first-tasks", "--tasks", "10", "--idle", "0"));
  expect(names).toEqual([
    "p-queue, first 10 tasks, fresh",
    "by hand, first 10 tasks, fresh",
    "errand, first 10 tasks, fresh",
    "p-queue, first 10 tasks, after idling",
    "by hand, first 10 tasks, after idling",
    "errand, first 10 tasks, after idling",
  ]);
});

test.each<[program: string, names: readonly string[]]>([
  ["start", ['import "p-queue"', 'import "errand"', "start to first task, p-queue", "start to first task, errand"]],
  ["map", ["p-map", "ctx.map", "p-limit, 100 at a time", "errand, 100 at a time"]],
  ["notices", ["events of one task", "an event of each task", "the end of each task"]],
  ["reconnect", ["after a restart, a file store", "in the same process, a file store"]],
  ["growth", ["errand, 100 tasks", "p-queue, 100 tasks"]],
])("%s measures errand and what stands beside it", async (program, names) => {
  const tasks = program === "start" ? "1" : "100";
  expect(namesOf(await small<Named>(program, "--tasks", tasks, "--warmups", "0"))).toEqual(
    expect.arrayContaining([...names]),
  );
});
