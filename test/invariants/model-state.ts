// Model state: the nouns of the model: what it remembers of tasks, waits, requests and readers. Plain data; changes nothing.

import type { ChildrenPolicy, StopReason, TaskStatus } from "errand";
import type { Standing } from "./model-line.js";
import type { AskOptions, AwaitOptions, SpawnOptions, Until, WaitOptions } from "./steps.js";

export interface ModelTask extends Standing {
  readonly name: string;
  readonly parent: ModelTask | undefined;
  readonly depth: number;
  /** Of the session; what is below it is too. */
  readonly isOfSession: boolean;
  readonly children: ChildrenPolicy;
  readonly options: SpawnOptions;
  /** Of its own `totalTimeoutMs`. */
  readonly deadlineAt: number;
  isDetached: boolean;
  status: TaskStatus;
  /** Of its function (S2). */
  phase: "unstarted" | "open" | "settled" | "abandoned";
  /** A later step said how its function ends. */
  isTold: boolean;
  /** The function, abandoned or not, has ended. */
  isSilent: boolean;
  stop: { readonly reason: StopReason; readonly words: string } | undefined;
  outcome: Outcome | undefined;
  isOver: boolean;
  endOrder: number;
  waits: ModelWait[];
  returning: ModelWait | undefined;
  unread: string[];
  /** Of `timeoutMs`, not used up; and since when it runs (C6). */
  leftMs: number;
  runningSince: number | undefined;
  signAt: number;
}

export interface Outcome {
  readonly status: "succeeded" | "failed" | "cancelled" | "interrupted";
  /** A code, or words. */
  readonly why: string;
  readonly isAbandoned: boolean;
}

export interface ModelRequest {
  readonly task: ModelTask;
  readonly key: string | undefined;
  readonly question: string;
  status: "open" | "answered" | "rejected" | "expired" | "withdrawn";
  askers: ModelWait[];
  /** W4: owners that were told of it. */
  readonly seenBy: Set<string>;
}

/** A wait, and what it watches: tasks, as `awaitTasks` does, or nothing. */
export interface ModelWait {
  readonly name: string;
  readonly on: "time" | "input" | "tasks" | "message" | "slot";
  readonly options: AwaitOptions & AskOptions;
  readonly owner: ModelTask | undefined;
  readonly tasks: readonly ModelTask[];
  readonly until: Until;
  /** What it gives when `until` holds, or its time has passed. */
  readonly give: (reason: "done" | "timeout" | "request") => Result;
  readonly reader: ModelReader | undefined;
  /** Whose messages it waits for. */
  readonly mailbox: ModelTask | undefined;
  request: ModelRequest | undefined;
  /** Whose roots are its own children, when it is nobody's. */
  readonly scope: "manager" | "session";
  /** What follows when it is told, a microtask later. */
  readonly react: ((result: Result) => void) | undefined;
  /** W4: what `cancelRest` stopped, and has not ended. */
  stopping: readonly ModelTask[] | undefined;
  decided: Result | undefined;
  /** What its promise shows: `undefined` while pending. */
  told: Result | undefined;
}
export interface Result {
  readonly isOk: boolean;
  readonly text: string;
}

/** An iterator of `outcomes()`. */
export interface ModelReader {
  readonly tasks: readonly ModelTask[];
  readonly options: WaitOptions;
  /** Those still watched, from the first step on. */
  living: ModelTask[] | undefined;
  ended: ModelTask[];
  /** The step that is waited for. */
  step: ModelWait | undefined;
}

export interface Settled {
  readonly how: "returned" | "threw" | "silent" | "unstarted";
  readonly code?: "error" | "rejected";
}

export interface Timer {
  readonly dueAt: number;
  readonly order: number;
  /** Of what, and which: so that it can be put off. */
  readonly of: object;
  readonly what: "run" | "stall" | "total" | "wait" | "expiry" | "grace";
  readonly fire: () => void;
}

export const ok = (text: string): Result => ({ isOk: true, text });
export const no = (text: string): Result => ({ isOk: false, text });

/** A throw of what a wait rejected with, or of an error of the function's own (A4). */
export function threw(result: Result | undefined): Settled {
  const isRefused = result !== undefined && /^REQUEST_(REJECTED|EXPIRED)/.test(result.text);
  return { how: "threw", code: isRefused ? "rejected" : "error" };
}

/** C1: what stopped a task decides how it ended; then what its function did. */
export function outcomeOf(task: ModelTask, { how, code = "error" }: Settled): Outcome {
  const { stop } = task;
  const isAbandoned = how === "silent";
  const isSoft = stop === undefined || stop.reason === "cancel" || stop.reason === "shutdown";
  if (how === "returned" && isSoft) return { status: "succeeded", why: task.name, isAbandoned };
  if (stop === undefined) return { status: "failed", why: code, isAbandoned };
  if (stop.reason === "cancel") return { status: "cancelled", why: stop.words, isAbandoned };
  if (stop.reason === "shutdown") return { status: "interrupted", why: "shutdown", isAbandoned };
  return { status: "failed", why: stop.reason, isAbandoned };
}

export function textOf({ status, why, isAbandoned }: Outcome): string {
  return `${status} ${why}${isAbandoned ? ", abandoned" : ""}`;
}

export function rootOf(task: ModelTask): ModelTask {
  return task.parent === undefined ? task : rootOf(task.parent);
}

/** Its own or the nearest one inherited; being detached ends inheritance (H2). */
export function deadlineOf(task: ModelTask): number {
  const above = task.isDetached || task.parent === undefined ? Infinity : deadlineOf(task.parent);
  return Math.min(task.deadlineAt, above);
}

export function isWithin(task: ModelTask, above: ModelTask): boolean {
  return task === above || (task.parent !== undefined && isWithin(task.parent, above));
}

/** What `blockedOn` shows (§1, S4). */
export function blockedOn(task: ModelTask): readonly string[] {
  if (task.status !== "blocked") return [];
  if (task.outcome !== undefined) return ["children"];
  return [...(task.returning === undefined ? [] : ["slot"]), ...task.waits.map((wait) => wait.on)];
}
