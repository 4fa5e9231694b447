// Programs under test: scripts that a child process runs, and how a test waits for what they do.

import { readFileSync } from "node:fs";
import type { TaskHandle } from "errand";
import type { ProcessInput } from "errand/kinds";

/** A program that runs `code` as CommonJS on this Node, with `more` in its `process.argv`. */
export function script(code: string, ...more: string[]): ProcessInput {
  return { command: process.execPath, args: ["-e", code, ...more] };
}

/** Ignores SIGTERM, and prints when it does. */
export const DEAF = `process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("deaf " + process.pid);`;
/** Prints its id, and waits. */
export const IDLE = `setInterval(() => {}, 1000); console.log("idle " + process.pid);`;

/** Starts each of `codes` as a child in the same group, which shares the output. */
export function startsAll(...codes: string[]): string {
  return `for (const code of ${JSON.stringify(codes)}) require("node:child_process").spawn(process.execPath, ["-e", code], { stdio: "inherit" });`;
}

/** Prints its id, starts `code`, which shares its output, and runs `then` when the child is ready. */
export function leaves(code: string, then: string, detached = false): ProcessInput {
  const child = `${code} process.send("there");`;
  const options = `{ stdio: ["inherit", "inherit", "inherit", "ipc"], detached: ${detached} }`;
  return script(`console.log("leader " + process.pid);
    const child = require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}], ${options});
    child.on("message", () => { ${then} });`);
}

/** Shorter than the time limit of a test, so that what hangs is described. */
const LONGEST_MS = 100_000;

/** Polls until `isSo` is true, because a program sends no event to a test. Rejects after 100 s with the description. */
export async function until(isSo: () => boolean, describe: () => unknown = () => ""): Promise<void> {
  const deadline = performance.now() + LONGEST_MS;
  while (!isSo()) {
    if (performance.now() > deadline)
      throw new Error(`still not so after ${LONGEST_MS} ms: ${isSo.toString()} ${String(describe())}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The ids of the first `count` processes that have printed their id. */
export async function pidsOf(handle: TaskHandle, count: number): Promise<number[]> {
  const pids = () => [...handle.output().text.matchAll(/^\w+ (\d+)\n/gm)].map(([, pid]) => Number(pid));
  await until(
    () => pids().length >= count,
    () => `${handle.status} ${handle.output().text}`,
  );
  return pids();
}

/** Whether a process has that id; a zombie that is not collected yet does not count. */
export function isAlive(pid: number): boolean {
  return !isCollected(pid) && !isZombie(pid);
}

/** Whether the process is dead and was collected by its parent. */
export function isCollected(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

function isZombie(pid: number): boolean {
  if (process.platform !== "linux") return false;
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return true;
  }
}
