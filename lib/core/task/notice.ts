// Notice: a report to an owner loop about one of its tasks.
//
// Owns the types, which facts become notices at which `wake`, and which notices come first (N1). A notice gets its text
// elsewhere.

import type { Json } from "../values/json.js";
import type { Fact } from "./events.js";
import type { Message } from "./message.js";
import type { TaskOutcome, Wake } from "./record.js";
import type { InboxRequest } from "./request.js";

/** The event behind a notice. An end needs its type only, because the outcome of the task says the rest. */
export type Happening =
  | { readonly type: "task.succeeded" | "task.failed" | "task.cancelled" | "task.interrupted" }
  | { readonly type: "message.sent"; readonly message: Message }
  | { readonly type: "request.opened"; readonly request: InboxRequest }
  | { readonly type: "custom"; readonly name: string; readonly payload?: Json };

/**
 * A report to the loop of a session, or of a task, about one of its tasks. `type` is the type of the event behind it.
 * The loop receives each notice until it acknowledges it.
 */
export type Notice = {
  /** Id of the notice. A restart keeps it. */
  readonly id: string;
  /** The task that the notice is about. */
  readonly taskId: string;
  /** Instant of the event, in epoch milliseconds. */
  readonly at: number;
  /** The notice as a text for a model, bounded and escaped. Texts of a task in it are untrusted data. */
  readonly text: string;
} & (
  | {
      /** The task has ended. */
      readonly type: "task.succeeded" | "task.failed" | "task.cancelled" | "task.interrupted";
      /** How the task ended. */
      readonly outcome: TaskOutcome;
    }
  | {
      /** The task has posted a message. */
      readonly type: "message.sent";
      /** The message. */
      readonly message: Message;
    }
  | {
      /** The task has asked a question. */
      readonly type: "request.opened";
      /** The question. */
      readonly request: InboxRequest;
    }
  | {
      /** The task has emitted an event of its own. */
      readonly type: "custom";
      /** Name of the event. */
      readonly name: string;
      /** Data of the event. */
      readonly payload?: Json;
    }
);

/** A notice that is not acknowledged, as a store keeps it. */
export interface StoredNotice {
  /** Id of the notice. */
  readonly id: string;
  /** Instant of the event, in epoch milliseconds. */
  readonly at: number;
  /** Place among all notices of the manager. */
  readonly order: number;
  /** The event behind the notice. */
  readonly what: Happening;
}

/** The event that `fact` reports to the owner at this `wake`, or `undefined` when it reports none. */
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

/** Whether the event is the end of a task. */
export function isEnd({ type }: Happening): boolean {
  return type in END;
}

/** Class of a notice when not all notices fit in one batch (N1). */
export type Precedence = (typeof PRECEDENCES)[number];
/** The classes, first to last: questions and ends without success, messages, results, custom events. */
export const PRECEDENCES = ["urgent", "message", "result", "chatter"] as const;

/** The class of a notice (N1). */
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
