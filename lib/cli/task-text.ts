// Task text: short phrases for the fields of a record.

import type { InboxRequest, Progress, TaskFailure, TaskRecord, Usage, UsageReport, Wait } from "errand";
import { failureInWords } from "errand";
import { describeDuration, relative } from "./duration.js";
import { idWord, jsonText, shortened, singleSpaced } from "./printable.js";

/** The largest number of characters of a text inside a line. */
const PHRASE = 200;

/** The clock and the questions that a phrase may refer to. */
export interface Setting {
  /** The present, in epoch milliseconds. */
  readonly now: number;
  /** Returns the question of a request, or `undefined` when it is unknown. */
  readonly question: (requestId: string) => string | undefined;
}

/** Makes one safe line of `text`, at most 200 characters long. */
export function phrase(text: string): string {
  // Only a bounded part of a long text is escaped, because only its beginning is shown.
  const start = text.slice(0, PHRASE * 4);
  const line = singleSpaced(start);
  return start.length < text.length && line.length <= PHRASE ? `${line}…` : shortened(line, PHRASE);
}

/** A value as JSON, cut like `phrase`. */
export function valuePhrase(value: unknown): string {
  return phrase(jsonText(value));
}

/** The name of the kind, or `function` for a task without one. */
export function kindOf({ kind }: TaskRecord): string {
  return kind === undefined ? "function" : idWord(kind);
}

/** The name and the title of the task, in one line; empty when it has neither. */
export function labelOf({ name, title }: TaskRecord): string {
  return singleSpaced([name, title].filter((text) => text !== undefined && text !== "").join(": "));
}

/** A number with its noun, in the plural when needed: `1 task`, `3 children`. */
export function count(many: number, one: string): string {
  return many === 1 ? `1 ${one}` : `${many} ${one === "child" ? "children" : `${one}s`}`;
}

/** `waits for an answer: Publish it?, for 3 tasks`; empty when the task waits for nothing. */
export function describeWaits(waits: readonly Wait[], setting: Setting): string {
  return waits.length === 0 ? "" : `waits ${waits.map((wait) => describeWait(wait, setting)).join(", ")}`;
}

function describeWait(wait: Wait, { now, question }: Setting): string {
  switch (wait.on) {
    case "input":
      return `for an answer: ${phrase(question(wait.requestId) ?? wait.requestId)}`;
    case "tasks":
      return `for ${wait.taskIds.length === 1 ? wait.taskIds.map(idWord).join() : count(wait.taskIds.length, "task")}`;
    case "children":
      return `for ${count(wait.taskIds.length, "child")}`;
    case "message":
      return "for a message";
    case "time":
      // A sleep without an end has the largest safe integer as its instant.
      if (wait.untilAt === Number.MAX_SAFE_INTEGER) return "until it is stopped";
      return wait.untilAt > now ? `for ${describeDuration(wait.untilAt - now)} more` : "for a time that is over";
    case "notice":
      return "for a notice";
    case "rate":
      return wait.untilAt > now ? `for its rate, ${describeDuration(wait.untilAt - now)} more` : "for its rate";
    case "kind":
      return `for a process that knows its kind: ${idWord(wait.kind)}`;
    case "process":
      return `for the task of this id in another process: instance ${idWord(wait.instanceId)}`;
    case "lane":
      return `for a process that has its lane: ${idWord(wait.lane)}`;
    case "slot":
      return "for a slot";
    default:
      return wait satisfies never;
  }
}

/** The code and the message of a failure. */
export function failurePhrase(error: TaskFailure): string {
  return `${error.code}: ${phrase(failureInWords(error))}`;
}

/** The reason why the task failed, was cancelled or was interrupted; empty for a task that succeeded or is active. */
export function describeReason({ status, error, reason }: TaskRecord): string {
  if (error !== undefined) return failurePhrase(error);
  return status === "cancelled" || status === "interrupted" ? phrase(reason ?? "") : "";
}

/** The progress as text: `3 of 10 pages: reading`. */
export function describeProgress({ current, total, unit, label }: Progress): string {
  const amount = [current, total].filter((number) => number !== undefined).join(" of ");
  const counted = [amount, unit].filter((text) => text !== undefined && text !== "").join(" ");
  return [counted, label].filter((text) => text !== undefined && text !== "").join(": ");
}

/** `1.2k tokens in, 340 out, $0.03`; empty when nothing was used. */
export function describeUsage({ inputTokens = 0, outputTokens = 0, costUsd = 0 }: Usage | UsageReport): string {
  const isTokens = inputTokens > 0 || outputTokens > 0;
  return [
    ...(isTokens ? [`${compact(inputTokens)} tokens in, ${compact(outputTokens)} out`] : []),
    ...(costUsd > 0 ? [`$${Number(costUsd.toPrecision(3))}`] : []),
  ].join(", ");
}

function compact(tokens: number): string {
  return Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(tokens).toLowerCase();
}

/** The possible answers of an open request, or how a closed one was closed. */
export function describeRequest(request: InboxRequest, now: number): string {
  const { status, kind, choices, expiresAt, by, closedAt = now, answer, reason } = request;
  if (status !== "open") {
    const closed = [status, ...(by === undefined ? [] : [`by ${idWord(by)}`]), relative(closedAt, now)].join(" ");
    const what = answer === undefined ? reason : jsonText(answer);
    return what === undefined ? closed : `${closed}: ${phrase(what)}`;
  }
  const wanted = kind === "approval" ? "yes or no" : (choices?.map(singleSpaced).join(" | ") ?? kind);
  return expiresAt === undefined ? wanted : `${wanted}, expires ${relative(expiresAt, now)}`;
}
