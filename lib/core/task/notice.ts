// Notice: what an owner loop is told about one of its tasks.
//
// Owns the words: which facts are told of at which `wake`, and a notice before it has its text.

import type { Json } from "../values/json.js";
import type { Fact } from "./events.js";
import type { Message } from "./message.js";
import type { TaskOutcome, Wake } from "./record.js";
import type { InboxRequest } from "./request.js";

/** What happened: an end is told of as the task's outcome says, so it needs no more than its type. */
export type Happening =
  | { readonly type: "task.succeeded" | "task.failed" | "task.cancelled" | "task.interrupted" }
  | { readonly type: "message.sent"; readonly message: Message }
  | { readonly type: "request.opened"; readonly request: InboxRequest }
  | { readonly type: "custom"; readonly name: string; readonly payload?: Json };

/** One transition, told once. `text` is bounded and escaped: a subagent's words are untrusted data. `type` is the event's. */
export type Notice = { readonly id: string; readonly taskId: string; readonly at: number; readonly text: string } & (
  | {
      readonly type: "task.succeeded" | "task.failed" | "task.cancelled" | "task.interrupted";
      readonly outcome: TaskOutcome;
    }
  | { readonly type: "message.sent"; readonly message: Message }
  | { readonly type: "request.opened"; readonly request: InboxRequest }
  | { readonly type: "custom"; readonly name: string; readonly payload?: Json }
);

/** What a store keeps of one that is not acknowledged yet. */
export interface StoredNotice {
  readonly id: string;
  readonly at: number;
  /** Its place among all notices. */
  readonly order: number;
  readonly what: Happening;
}

/** What its owner is told of `fact`, at this `wake`; `undefined`: nothing. */
export function happeningOf(fact: Fact, wake: Wake): Happening | undefined {
  switch (fact.type) {
    case "task.succeeded":
    case "task.failed":
    case "task.cancelled":
    case "task.interrupted":
      return wake === "silent" ? undefined : END[fact.type];
    case "message.sent":
      return wake === "onActivity" && fact.message.direction === "outbound" ? fact : undefined;
    case "request.opened":
      return wake === "onActivity" ? { type: fact.type, request: fact.request } : undefined;
    case "custom":
      return wake === "onActivity" ? fact : undefined;
    default:
      return undefined;
  }
}

const END = Object.freeze({
  "task.succeeded": Object.freeze({ type: "task.succeeded" }),
  "task.failed": Object.freeze({ type: "task.failed" }),
  "task.cancelled": Object.freeze({ type: "task.cancelled" }),
  "task.interrupted": Object.freeze({ type: "task.interrupted" }),
});

export function isEnd({ type }: Happening): boolean {
  return type in END;
}

/** N1: which notices come first when not everything fits in one batch. */
export type Precedence = (typeof PRECEDENCES)[number];
/** First to last: questions and ends without success; messages; results; custom events. */
export const PRECEDENCES = ["urgent", "message", "result", "chatter"] as const;

export function precedenceOf({ type }: Happening): Precedence {
  switch (type) {
    case "message.sent":
      return "message";
    case "task.succeeded":
      return "result";
    case "custom":
      return "chatter";
    default:
      return "urgent";
  }
}
