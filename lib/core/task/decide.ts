// Decide: whether a command is allowed for a task, and which facts follow from it. With `evolve`, these are the rules
// of a task.
//
// Pure: no clock, no random, no promise, no Node import. Reads a state, returns facts or a named refusal (S8), never
// throws. Keeps S1, S2, S5, C1 and H1, and lets no stopped or finished task begin a wait (S4, C3).
// test/core/task/decide.test.ts covers every status × every command.

import type { Command, Refusal, RefusalReason } from "./commands.js";
import type { Ending } from "./ending.js";
import type { EndFact, Fact } from "./events.js";
import { limitFailure } from "./limit-failure.js";
import type { Runtime, TaskFailure } from "./record.js";
import type { Settled } from "./settled.js";
import type { Output, Stop, TaskState } from "./state.js";
import { type FailureCode, isTerminal } from "./status.js";

/** The facts that follow from `command`, or why it is refused. */
export function decide(state: TaskState, command: Command): readonly Fact[] | Refusal {
  switch (command.type) {
    case "start": {
      if (isTerminal(state.status)) return refuse("terminal");
      if (state.status !== "queued") return refuse("already_started");
      if (state.stop !== undefined) return refuse("stopped");
      return [{ type: "task.started", runtime: command.runtime }];
    }
    case "block":
      return fenced(state, command.attempt, true) ?? [{ type: "task.blocked", blockedOn: command.blockedOn }];
    case "resume": {
      const refusal = fenced(state, command.attempt, true);
      if (refusal !== undefined) return refusal;
      return state.status === "blocked" ? [{ type: "task.resumed" }] : refuse("not_blocked");
    }
    case "stop": {
      if (isTerminal(state.status)) return refuse("terminal");
      if (state.ending !== undefined) return refuse("settled");
      if (command.isRestart ? isStopped(state) : state.stop !== undefined) return refuse("stopped");
      return [{ type: "task.cancelRequested", stop: command.stop }];
    }
    case "settle":
      return settle(state, command);
    case "end": {
      if (isTerminal(state.status)) return refuse("terminal");
      return state.ending === undefined ? refuse("unsettled") : [endOf(state.ending, state.output)];
    }
    case "lose": {
      if (isTerminal(state.status)) return refuse("terminal");
      return [endOf(state.ending ?? lost(command, state), state.output)];
    }
    case "reattach": {
      if (isTerminal(state.status)) return refuse("terminal");
      if (state.ending !== undefined) return refuse("settled");
      if (isStopped(state)) return refuse("stopped");
      return [{ type: "task.reattached", runtime: command.runtime }];
    }
    case "deliver": {
      if (isTerminal(state.status)) return refuse("terminal");
      if (state.ending !== undefined) return refuse("settled");
      if (state.stop !== undefined) return refuse("stopped");
      if (state.status !== "queued") return refuse("already_started");
      return [endOf(command.ending, command.output)];
    }
    case "park": {
      if (isTerminal(state.status)) return refuse("terminal");
      if (state.ending !== undefined) return refuse("settled");
      if (isStopped(state)) return refuse("stopped");
      return [{ type: "task.parked", blockedOn: command.blockedOn }];
    }
    case "lateSettle": {
      if (state.ending === undefined && state.attempt === command.attempt) return refuse("unsettled");
      const { type: _, ...late } = command;
      return [{ type: "task.lateSettled", ...late }];
    }
    case "progress":
      return fenced(state, command.attempt) ?? [{ type: "task.progressed", progress: command.progress }];
    case "update":
      return enriching(state, command.attempt) ?? [{ type: "task.updated", patch: command.patch }];
    case "addArtifact":
      return enriching(state, command.attempt) ?? [{ type: "artifact.added", artifact: command.artifact }];
    case "reportUsage":
      return fenced(state, command.attempt) ?? [{ type: "usage.reported", usage: command.usage }];
    case "emit": {
      const { name, payload } = command;
      return (
        fenced(state, command.attempt) ?? [{ type: "custom", name, ...(payload === undefined ? {} : { payload }) }]
      );
    }
    case "post":
      return fenced(state, command.attempt) ?? [{ type: "message.sent", message: command.message }];
    case "send": {
      if (isTerminal(state.status)) return refuse("terminal");
      return state.ending === undefined ? [{ type: "message.sent", message: command.message }] : refuse("settled");
    }
    case "openRequest":
      return fenced(state, command.attempt, true) ?? [{ type: "request.opened", request: command.request }];
    case "closeRequest": {
      if (isTerminal(state.status)) return refuse("terminal");
      return [{ type: `request.${command.request.status}`, request: command.request }];
    }
    default:
      return command satisfies never;
  }
}

/** Whether a decision is a refusal. */
export function isRefusal(decision: readonly Fact[] | Refusal): decision is Refusal {
  return !Array.isArray(decision);
}

/**
 * Refuses a write of a function that is not the current attempt, or that has settled (S2). `unstopped`: a stopped task
 * is refused too.
 */
function fenced(state: TaskState, attempt: number, unstopped = false): Refusal | undefined {
  if (isTerminal(state.status)) return refuse("terminal");
  if (state.attempt !== attempt) return refuse("superseded");
  if (state.ending !== undefined) return refuse("settled");
  if (state.status === "queued") return refuse("not_started");
  if (unstopped && state.stop !== undefined) return refuse("stopped");
  return undefined;
}

/**
 * Refuses an enrichment only when it comes from a function that may not write: others may enrich also after the end
 * (S1).
 */
function enriching(state: TaskState, attempt: number | undefined): Refusal | undefined {
  return attempt === undefined ? undefined : fenced(state, attempt);
}

function settle(
  state: TaskState,
  { attempt, settled, living, notBeforeAt, limitMs }: Extract<Command, { type: "settle" }>,
): readonly Fact[] | Refusal {
  if (settled.how === "unstarted") {
    if (isTerminal(state.status)) return refuse("terminal");
    if (state.ending !== undefined) return refuse("settled");
    if (state.status !== "queued") return refuse("already_started");
  } else {
    const refusal = fenced(state, attempt);
    if (refusal !== undefined) return refusal;
  }
  const ending = endingOf(state.stop, settled, state.runtime, limitMs);
  if (ending === undefined) return refuse("not_stopped");
  if (notBeforeAt !== undefined && settled.how !== "unstarted" && mayRetry(ending)) {
    const retried: Fact = { type: "task.retried", error: ending.error, notBeforeAt };
    return settled.how === "silent" ? [{ type: "task.abandoned" }, retried] : [retried];
  }
  const output = ending.status === "succeeded" && settled.how === "returned" ? settled.output : undefined;
  if (living.length === 0) {
    const end = endOf(ending, output);
    return settled.how === "silent" ? [{ type: "task.abandoned" }, end] : [end];
  }
  const facts: Fact[] = settled.how === "silent" ? [{ type: "task.abandoned" }] : [];
  facts.push({ type: "task.returned", ending, output });
  if (state.status !== "queued") facts.push({ type: "task.blocked", blockedOn: [{ on: "children", taskIds: living }] });
  return facts;
}

/** The failure of this end of the function, when it may be retried (C1). `undefined` otherwise. */
export function retriable(state: TaskState, settled: Settled, limitMs: number | undefined): TaskFailure | undefined {
  if (settled.how === "returned" && state.stop === undefined) return undefined;
  const ending = endingOf(state.stop, settled, state.runtime, limitMs);
  return ending !== undefined && mayRetry(ending) ? ending.error : undefined;
}

function mayRetry(ending: Ending): ending is Extract<Ending, { readonly status: "failed" }> {
  return ending.status === "failed" && RETRIABLE.includes(ending.error.code);
}
const RETRIABLE: readonly FailureCode[] = ["error", "timeout", "stalled"];

/**
 * The ending of a function that settled: the stop decides first, then what the function did (C1). `undefined`: the
 * function did not settle or never began, and the task was not stopped.
 */
function endingOf(
  stop: Stop | undefined,
  settled: Settled,
  runtime: Runtime | undefined,
  limitMs: number | undefined,
): Ending | undefined {
  const mayReturn = stop === undefined || stop.code === "cancel" || stop.code === "shutdown";
  if (settled.how === "returned" && mayReturn) return Object.freeze({ status: "succeeded", value: settled.value });
  if (stop === undefined) {
    const failure = settled.how === "threw" ? settled.failure : undefined;
    return failure === undefined ? undefined : Object.freeze({ status: "failed", error: failure });
  }
  const ending = stopped(stop, settled, runtime, limitMs);
  return Object.freeze(settled.how === "silent" ? { ...ending, abandoned: true as const } : ending);
}

/** Whether the task was stopped for good. A shutdown stops what runs in its own process only. */
export function isStopped(state: TaskState): state is TaskState & { readonly stop: Stop } {
  return state.stop !== undefined && state.stop.code !== "shutdown";
}

/**
 * The ending of a task whose process ended: a stop that was requested before is carried out, any other task is
 * interrupted (D4).
 */
function lost({ process, attemptsUsed, limitMs }: Extract<Command, { type: "lose" }>, state: TaskState): Ending {
  if (isStopped(state)) {
    return Object.freeze(stopped(state.stop, { how: "silent" }, state.runtime, limitMs));
  }
  const { instanceId, pid } = state.runtime ?? process ?? {};
  return Object.freeze({
    status: "interrupted",
    reason: state.stop === undefined ? "process_lost" : "shutdown",
    ...(instanceId === undefined ? {} : { instanceId }),
    ...(pid === undefined ? {} : { pid }),
    ...(attemptsUsed === undefined ? {} : { attemptsUsed }),
  });
}

type Unsuccessful = Exclude<Ending, { readonly status: "succeeded" }>;

function stopped(
  stop: Stop,
  settled: Settled,
  runtime: Runtime | undefined,
  limitMs: number | undefined,
): Unsuccessful {
  const reason = stop.reason;
  switch (stop.code) {
    case "cancel":
      if (settled.how !== "threw") return { status: "cancelled", reason };
      return { status: "cancelled", reason, cause: settled.error };
    case "shutdown":
      if (runtime === undefined) return { status: "interrupted", reason: "shutdown" };
      return { status: "interrupted", reason: "shutdown", instanceId: runtime.instanceId, pid: runtime.pid };
    default:
      return { status: "failed", error: limitFailure(stop.code, reason, limitMs, settled) };
  }
}

function endOf(ending: Ending, output: Output | undefined): Fact {
  return { type: `task.${ending.status}` satisfies EndFact, ending, output };
}

function refuse(refused: RefusalReason): Refusal {
  return REFUSALS[refused];
}

const REFUSALS: { readonly [R in RefusalReason]: Refusal } = Object.freeze({
  terminal: { refused: "terminal" },
  settled: { refused: "settled" },
  superseded: { refused: "superseded" },
  not_started: { refused: "not_started" },
  already_started: { refused: "already_started" },
  not_blocked: { refused: "not_blocked" },
  stopped: { refused: "stopped" },
  not_stopped: { refused: "not_stopped" },
  unsettled: { refused: "unsettled" },
});
