// A whole agent loop by the public names: tools, notices, kinds, a question, a budget and a store.
//
// Its process is killed at each of its steps.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Compiled, compiled } from "../support/own-process.js";
import { place } from "../support/place.js";

let library: Compiled;
let program: string;
beforeAll(async () => {
  library = await compiled();
  program = path.join(library.folder, "agent-loop-program.mjs");
  await copyFile(fileURLToPath(new URL("agent-loop-program.mjs", import.meta.url)), program);
});
afterAll(() => library.remove());

interface Told {
  readonly id: string;
  readonly taskId: string;
  readonly type: string;
  readonly text: string;
}
interface Ended {
  readonly told: readonly Told[];
  readonly results: readonly {
    readonly result: { readonly task_id?: string; readonly status?: string; readonly result?: string };
  }[];
  readonly tasks: readonly {
    readonly id: string;
    readonly kind?: string;
    readonly status: string;
    readonly attempt: number;
    readonly parentId?: string;
    readonly callId?: string;
  }[];
  readonly view: string;
  readonly open: number;
  readonly usage: { readonly outputTokens: number };
}

async function run(...args: readonly string[]) {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  await once(child, "close");
  return { signal: child.signalCode, code: child.exitCode, output };
}

async function runToTheEnd(directory: string): Promise<Ended> {
  const { code, output } = await run(directory);
  expect(code).toBe(0);
  return JSON.parse(output) as Ended;
}

/** Expects each end once, every answer, and no living task. */
function expectAllTold({ told, results, tasks, view, open }: Ended): void {
  expect(new Set(told.map(({ id }) => id)).size).toBe(told.length);
  const roots = tasks.filter(({ parentId }) => parentId === undefined);
  const ends = told.filter(({ type }) => type.startsWith("task."));
  for (const { id, status } of roots) {
    const ofIt = ends.filter(({ taskId }) => taskId === id);
    expect(ofIt.map(({ type }) => type).filter((type) => type !== `task.${status}`)).toEqual([]);
    // Each end is delivered once: by a notice, or by a tool before its notice.
    const isShown = results.some(({ result }) => result.task_id === id && result.status === status);
    if (ofIt.length !== 1) expect({ id, told: ofIt.length, isShown }).toEqual({ id, told: 0, isShown: true });
  }
  const texts = [...ends.map(({ text }) => text), ...results.map(({ result }) => JSON.stringify(result))].join("\n");
  expect(texts).toContain("example.org in eu");
  expect(texts).toContain("rivers: half of it");
  expect(roots.filter(({ kind, status }) => kind === "process" && status === "succeeded")).toHaveLength(1);
  expect(new Set(roots.map(({ callId }) => callId)).size).toBe(roots.length);
  expect(view).toBe("");
  expect(open).toBe(0);
}

describe("an agent loop", () => {
  test("starts work by its tools, is woken, answers, and ends when nothing can wake it any more", async () => {
    const ended = await runToTheEnd(await place());
    expectAllTold(ended);
    expect(ended.told.map(({ type }) => type).toSorted()).toEqual([
      "request.opened",
      "task.succeeded",
      "task.succeeded",
      "task.succeeded",
    ]);
    expect(ended.usage.outputTokens).toBe(10);
  });

  test.each(["replied", "called", "told", "saved", "acknowledged"])(
    "D2 N1 that is killed with -9 when it has %s goes on in the next process, and gets a notice of each end once",
    async (mark) => {
      const directory = await place();
      expect((await run(directory, mark)).signal).toBe("SIGKILL");
      const ended = await runToTheEnd(directory);
      expectAllTold(ended);
      const crawl = ended.tasks.filter(({ kind }) => kind === "crawl");
      // The repeated call made one task, and the next process resumed it, because its kind can reattach.
      expect(crawl).toHaveLength(1);
      if (mark !== "replied") expect(crawl[0]?.attempt).toBeGreaterThan(1);
    },
  );

  test("that is killed in every process it has, at another step each time, comes to the same end", async () => {
    const directory = await place();
    for (const mark of ["replied", "called", "told", "saved", "acknowledged", "told", "called"]) {
      const { signal, code, output } = await run(directory, mark);
      if (code === 0) return expectAllTold(JSON.parse(output) as Ended);
      expect(signal).toBe("SIGKILL");
    }
    expectAllTold(await runToTheEnd(directory));
  });
});
