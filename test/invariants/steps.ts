// Steps: the words of a program. Plain data, so that a program can be generated, shortened and printed.
//
// `by` is the task whose code makes the call (left out: code outside every task); `via` says whether that code calls its `ctx` or
// the manager it closed over (H0). Names of tasks, waits, readers and signals are given by the step that makes them.

import type { ChildrenPolicy } from "errand";

export interface Rules {
  concurrency?: number;
  lanes?: { readonly [lane: string]: { concurrency: number; agingMs?: number; holdAbandoned?: boolean } };
  limits?: { maxDepth?: number; maxChildren?: number; maxDescendants?: number; maxQueued?: number };
  graceMs?: number;
  agingMs?: number;
  ambient?: boolean;
  retention?: { maxFinished: number };
}

/** What a task's function is: one that obeys its signal or is deaf to it, and else does what later steps say; or one that ends at once. */
export type Body = "obeys" | "deaf" | "returns" | "throws";
/** The one session there is; tasks of no session stand beside it. */
export const SESSION = "chat";
export type Via = "ctx" | "manager" | "session";
export type Until = "all" | "any" | "success" | "failure" | number;
/** What a listener can wait for. */
export type HeardFact = "created" | "started" | "resumed" | "stopped" | "returned" | "ended" | "request";
/** What a function writes of itself (S2). */
export type Note = "progress" | "summary" | "link" | "artifact" | "usage" | "emit" | "post" | "heartbeat" | "output";

export interface SpawnOptions {
  by?: string;
  ctx?: string;
  via?: Via;
  parent?: string;
  root?: true;
  detached?: true;
  lane?: string;
  laneKey?: string;
  priority?: number;
  children?: ChildrenPolicy;
  timeoutMs?: number;
  totalTimeoutMs?: number;
  stallTimeoutMs?: number;
  graceMs?: number;
  signal?: string;
  body?: Body;
  /** What its function does in its first line. */
  first?: readonly PlainStep[];
}

/** What every wait takes. `then: "return"`: the function returns when this wait fulfils and throws what it rejects with; else calls that follow. */
export interface WaitOptions {
  by?: string;
  /** The task whose context is called, when it is not the caller's own. */
  ctx?: string;
  via?: Via;
  signal?: string;
  then?: "return" | readonly PlainStep[];
  /** Nobody looks at its promise (C5). */
  unread?: true;
}

export interface AskOptions extends WaitOptions {
  key?: string;
  question?: string;
  timeoutMs?: number;
  onTimeout?: "default";
}

export interface AwaitOptions extends WaitOptions {
  until?: Until;
  timeoutMs?: number;
  stopOnRequest?: true;
  cancelRest?: true;
}

/** Each wait is named by `as`. */
export type WaitStep =
  | { do: "sleep"; as: string; ms: number; with: WaitOptions }
  | { do: "ask"; as: string; with: AskOptions }
  | { do: "receive"; as: string; with: WaitOptions & { timeoutMs?: number } }
  | { do: "awaitTasks"; as: string; tasks: readonly string[]; with: AwaitOptions }
  | { do: "result"; as: string; task: string; with: WaitOptions }
  | { do: "outcome"; as: string; task: string; with: WaitOptions & { timeoutMs?: number } }
  | { do: "cancel"; as: string; task: string; with: WaitOptions & { reason?: string } }
  | { do: "cancelAll"; as: string; with: WaitOptions }
  | { do: "next"; as: string; reader: string; with: WaitOptions }
  | { do: "idle"; as: string; with: WaitOptions };

export type OtherStep =
  | { do: "spawn"; task: string; with: SpawnOptions }
  | { do: "return"; task: string }
  /** Throws an error of its own, or what the wait `error` rejected with. */
  | { do: "throw"; task: string; with: { error?: string } }
  /** The request that the wait asked for. */
  | { do: "answer"; wait: string }
  | { do: "reject"; wait: string }
  | { do: "send"; task: string }
  | { do: "note"; task: string; what: Note }
  /** Opens a reader of `outcomes()`; `next` takes a step of it, `leave` leaves the loop. */
  | { do: "outcomes"; reader: string; tasks: readonly string[]; with: WaitOptions }
  | { do: "leave"; reader: string }
  | { do: "abort"; signal: string }
  /** A listener, once. */
  | { do: "on"; fact: HeardFact; calls: readonly PlainStep[] }
  | { do: "pause"; lane: string }
  | { do: "resume"; lane: string }
  | { do: "advance"; ms: number }
  | { do: "close"; graceMs: number };

export type PlainStep = WaitStep | OtherStep;
/** `together`: one call after another, with nothing delivered in between. */
export type Step = PlainStep | { do: "together"; steps: readonly PlainStep[] };

export type Program = { readonly rules: Rules; readonly steps: readonly Step[] };

export function isWait(step: PlainStep): step is WaitStep {
  return "as" in step;
}
