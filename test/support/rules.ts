// What the tests of the pure rules share: every state of a task, every command it can be given, and tables of both.
//
// A state is made as in life, by playing commands; so none is here that cannot be reached. `superseded` alone is
// made by hand: its attempt is the second one, while the commands come from the first. Everything here is frozen to
// its leaves: a rule that changed its input would throw.

import type { Command, Refusal } from "../../lib/core/task/commands.js";
import { decide, isRefusal } from "../../lib/core/task/decide.js";
import type { EndFact, Fact } from "../../lib/core/task/events.js";
import { evolve } from "../../lib/core/task/evolve.js";
import type { Message } from "../../lib/core/task/message.js";
import { type Closing, closeRequest, type InboxRequest } from "../../lib/core/task/request.js";
import { returned, type Settled, threw } from "../../lib/core/task/settled.js";
import { NO_DETAILS, newState, type TaskState } from "../../lib/core/task/state.js";
import type { StopReason, TaskStatus } from "../../lib/core/task/status.js";

export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const field of Object.values(value)) deepFreeze(field);
  return value;
}

// ── states ─────────────────────────────────────────────────────────────────

export const TASK_ID = "task_1";
export const CREATED_AT = 1_000;

export const created: TaskState = deepFreeze(newState(NO_DETAILS));

/** The facts that `command` leads to, and the state they make. A refusal is the test's own mistake. */
export function play(state: TaskState, command: Command, at = (state.updatedAt ?? CREATED_AT) + 1): TaskState {
  const decision = decide(state, command);
  if (isRefusal(decision)) throw new Error(`${command.type} was refused: ${decision.refused}`);
  return evolveAll(state, decision, at);
}

export function evolveAll(state: TaskState, facts: readonly Fact[], at: number): TaskState {
  return facts.reduce((before, fact) => deepFreeze(evolve(before, fact, at)), state);
}

export function playAll(...commands: readonly Command[]): TaskState {
  return commands.reduce((state, command) => play(state, command), created);
}

/** Of the process that comes after the one of `start`. */
export const NEXT_RUNTIME = { instanceId: "i2", pid: 8, startedAt: 5_000 };

export const start: Command = { type: "start", runtime: { instanceId: "i1", pid: 7, startedAt: 500 } };
export const block: Command = { type: "block", attempt: 1, blockedOn: [{ on: "message" }] };
export const end: Command = { type: "end" };
export const stop = (reason: StopReason, words = "enough"): Command => ({
  type: "stop",
  stop: { code: reason, reason: words, at: 1_500 },
});
export const settle = (settled: Settled, living: readonly string[] = []): Command => ({
  type: "settle",
  attempt: 1,
  settled,
  living,
});
/** When a task that failed may run again. */
export const NOT_BEFORE_AT = 4_000;
/** Its function is over, and it may run again. */
export const settleAgain = (settled: Settled, attempt = 1, living: readonly string[] = []): Command => ({
  type: "settle",
  attempt,
  settled,
  living,
  notBeforeAt: NOT_BEFORE_AT,
});

/** The thrown thing: the same one everywhere, so that two decisions compare equal. */
export const thrown = new Error("out of paper");
export const SETTLED: { readonly [H in Settled["how"]]: Settled } = {
  returned: returned({ pages: 3 }),
  threw: threw(thrown),
  silent: { how: "silent" },
  unstarted: { how: "unstarted" },
};

/** By status first, then by what else decides: a stop, a final outcome, another attempt. */
type StateName =
  | TaskStatus
  | `${Extract<TaskStatus, "queued" | "running" | "blocked">}, stopped`
  | "queued, finishing"
  | "queued, again"
  | "finishing"
  | "superseded";

/** `finishing`: the function is over and its children are not (H1); a task that never began can be, too. `again`: its first attempt failed. */
export const STATES: { readonly [S in StateName]: TaskState } = deepFreeze({
  queued: created,
  "queued, stopped": playAll(stop("cancel")),
  "queued, finishing": playAll(stop("cancel"), settle(SETTLED.unstarted, ["child"])),
  "queued, again": playAll(start, settleAgain(SETTLED.threw)),
  running: playAll(start),
  "running, stopped": playAll(start, stop("cancel")),
  blocked: playAll(start, block),
  "blocked, stopped": playAll(start, block, stop("cancel")),
  finishing: playAll(start, settle(SETTLED.returned, ["child"])),
  superseded: { ...playAll(start), attempt: 2 },
  succeeded: playAll(start, settle(SETTLED.returned)),
  failed: playAll(start, settle(SETTLED.threw)),
  cancelled: playAll(start, stop("cancel"), settle(SETTLED.threw)),
  interrupted: playAll(start, stop("shutdown"), settle(SETTLED.threw)),
});

export const STATE_NAMES = Object.keys(STATES) as readonly StateName[];

// ── commands ───────────────────────────────────────────────────────────────

export const openRequest: InboxRequest = deepFreeze({
  id: "request_1",
  taskId: TASK_ID,
  kind: "text",
  status: "open",
  question: "Which way?",
  createdAt: CREATED_AT,
});

const CLOSINGS: { readonly [S in Closing["status"]]: Extract<Closing, { readonly status: S }> } = {
  answered: { status: "answered", answer: "left", by: "ada" },
  rejected: { status: "rejected", reason: "too late", by: "ada" },
  expired: { status: "expired" },
  withdrawn: { status: "withdrawn" },
};

function close(status: Closing["status"]): Command {
  const request = closeRequest(openRequest, CLOSINGS[status], CREATED_AT + 1);
  if (request === undefined) throw new Error("the request is not open");
  return { type: "closeRequest", request };
}

const message = (direction: Message["direction"]): Message => ({
  id: "message_1",
  taskId: TASK_ID,
  direction,
  content: [{ type: "text", text: "hello" }],
  createdAt: CREATED_AT,
});

/** A new command, a new way to settle or to close: the compiler asks for it here, and the table test for its column. */
type CommandName =
  | Exclude<Command["type"], "settle" | "closeRequest">
  | `settle ${Settled["how"]}`
  /** It may run again. */
  | `settle ${Settled["how"]}, again`
  | `close ${Closing["status"]}`
  /** Enrichment as a function's own write. */
  | "own update"
  | "own addArtifact";

export const COMMANDS: { readonly [N in CommandName]: (attempt: number) => Command } = {
  start: () => start,
  block: (attempt) => ({ type: "block", attempt, blockedOn: [{ on: "time", untilAt: 2_000 }] }),
  resume: (attempt) => ({ type: "resume", attempt }),
  stop: () => stop("timeout", "timeout"),
  "settle returned": (attempt) => ({ type: "settle", id: TASK_ID, attempt, settled: SETTLED.returned, living: [] }),
  "settle threw": (attempt) => ({ type: "settle", id: TASK_ID, attempt, settled: SETTLED.threw, living: [] }),
  "settle silent": (attempt) => ({ type: "settle", id: TASK_ID, attempt, settled: SETTLED.silent, living: [] }),
  "settle unstarted": (attempt) => ({ type: "settle", id: TASK_ID, attempt, settled: SETTLED.unstarted, living: [] }),
  "settle returned, again": (attempt) => settleAgain(SETTLED.returned, attempt),
  "settle threw, again": (attempt) => settleAgain(SETTLED.threw, attempt),
  "settle silent, again": (attempt) => settleAgain(SETTLED.silent, attempt),
  "settle unstarted, again": (attempt) => settleAgain(SETTLED.unstarted, attempt),
  end: () => end,
  lose: () => ({ type: "lose", process: undefined }),
  reattach: () => ({ type: "reattach", runtime: NEXT_RUNTIME }),
  deliver: () => ({
    type: "deliver",
    ending: { status: "succeeded", value: 1 },
    output: { output: 1 },
  }),
  park: () => ({ type: "park", blockedOn: [{ on: "kind", kind: "print" }] }),
  lateSettle: (attempt) => ({ type: "lateSettle", attempt, settled: "threw", message: "out of ink" }),
  progress: (attempt) => ({ type: "progress", attempt, progress: { current: 1, total: 2 } }),
  update: () => ({ type: "update", patch: { title: "renamed" } }),
  "own update": (attempt) => ({ type: "update", attempt, patch: { summary: "half of it" } }),
  addArtifact: () => ({ type: "addArtifact", artifact: { name: "a", type: "text/plain", path: "a.txt" } }),
  "own addArtifact": (attempt) => ({
    type: "addArtifact",
    attempt,
    artifact: { name: "b", type: "text/plain", data: "b", encoding: "utf8" },
  }),
  reportUsage: (attempt) => ({ type: "reportUsage", attempt, usage: { inputTokens: 5 } }),
  emit: (attempt) => ({ type: "emit", attempt, name: "page", payload: 3 }),
  post: (attempt) => ({ type: "post", attempt, message: message("outbound") }),
  send: () => ({ type: "send", message: message("inbound") }),
  openRequest: (attempt) => ({ type: "openRequest", attempt, request: openRequest }),
  "close answered": () => close("answered"),
  "close rejected": () => close("rejected"),
  "close expired": () => close("expired"),
  "close withdrawn": () => close("withdrawn"),
};

export const COMMAND_NAMES = Object.keys(COMMANDS) as readonly CommandName[];

/** The command as the first attempt gives it: for `superseded` that is the wrong one. */
export function commandOf(name: CommandName, attempt = 1): Command {
  return deepFreeze(COMMANDS[name](attempt));
}

const ALL_REASONS: { readonly [R in StopReason]: true } = {
  cancel: true,
  timeout: true,
  total_timeout: true,
  stalled: true,
  budget_exceeded: true,
  shutdown: true,
};
export const STOP_REASONS = Object.keys(ALL_REASONS) as readonly StopReason[];

// ── tables ─────────────────────────────────────────────────────────────────

const END_FACTS: readonly string[] = [
  "task.succeeded",
  "task.failed",
  "task.cancelled",
  "task.interrupted",
] satisfies readonly EndFact[];

export function isEnd(fact: string): boolean {
  return END_FACTS.includes(fact);
}

/** A decision as a table's cell says it: the types of the facts, or the refusal in parentheses. */
export function cellOf(decision: readonly Fact[] | Refusal): string {
  return isRefusal(decision) ? `(${decision.refused})` : decision.map((fact) => fact.type).join(" ");
}

export type Cell = readonly [row: string, column: string, cell: string];

/** The cells of a table drawn in text: the first line names the columns, the first column the rows. */
export function cellsOf(table: string): readonly Cell[] {
  const [head = [], ...rows] = table
    .split("\n")
    .filter((line) => line.includes("|"))
    .map((line) => line.split("|").map((cell) => cell.trim()));
  return rows.flatMap(([row = "", ...cells]) => {
    if (cells.length !== head.length - 1) throw new Error(`${row} has ${cells.length} cells, not ${head.length - 1}`);
    return cells.map((cell, index): Cell => [row, head[index + 1] ?? "", cell]);
  });
}
