// Task words: what a record says, in short phrases.

import type { InboxRequest, Progress, TaskFailure, TaskRecord, Usage, UsageReport, Wait } from "errand";
import { failureInWords } from "errand";
import { inWords, relative } from "./duration.js";
import { idWord, jsonText, shortened, words } from "./printable.js";

/** How much of a text stands in the middle of a line. */
const PHRASE = 200;

export interface Setting {
  readonly now: number;
  /** The question of a request, when it is known. */
  readonly question: (requestId: string) => string | undefined;
}

export function phrase(text: string): string {
  // A bounded part of the text is enough, however long the text is: no more of it is shown.
  const looked = text.slice(0, PHRASE * 4);
  const said = words(looked);
  return looked.length < text.length && said.length <= PHRASE ? `${said}…` : shortened(said, PHRASE);
}

export function valuePhrase(value: unknown): string {
  return phrase(jsonText(value));
}

export function kindOf({ kind }: TaskRecord): string {
  return kind === undefined ? "function" : idWord(kind);
}

export function labelOf({ name, title }: TaskRecord): string {
  return words([name, title].filter((text) => text !== undefined && text !== "").join(": "));
}

export function count(many: number, one: string): string {
  return many === 1 ? `1 ${one}` : `${many} ${one === "child" ? "children" : `${one}s`}`;
}

/** `waits for an answer: Publish it?, for 3 tasks`; empty when it waits for nothing. */
export function waitsInWords(waits: readonly Wait[], setting: Setting): string {
  return waits.length === 0 ? "" : `waits ${waits.map((wait) => waitInWords(wait, setting)).join(", ")}`;
}

function waitInWords(wait: Wait, { now, question }: Setting): string {
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
      // A sleep without an end.
      if (wait.untilAt === Number.MAX_SAFE_INTEGER) return "until it is stopped";
      return wait.untilAt > now ? `for ${inWords(wait.untilAt - now)} more` : "for a time that is over";
    case "notice":
      return "for a notice";
    case "rate":
      return wait.untilAt > now ? `for its rate, ${inWords(wait.untilAt - now)} more` : "for its rate";
    case "kind":
      return `for a process that knows its kind: ${phrase(wait.kind)}`;
    case "process":
      return `for the task of this id in another process: instance ${phrase(wait.instanceId)}`;
    case "lane":
      return `for a process that has its lane: ${phrase(wait.lane)}`;
    case "slot":
      return "for a slot";
    default:
      return wait satisfies never;
  }
}

export function failurePhrase(error: TaskFailure): string {
  return `${error.code}: ${phrase(failureInWords(error))}`;
}

/** Why it ended as it did; empty of one that succeeded or lives. */
export function whyInWords({ status, error, reason }: TaskRecord): string {
  if (error !== undefined) return failurePhrase(error);
  return status === "cancelled" || status === "interrupted" ? phrase(reason ?? "") : "";
}

export function progressInWords({ current, total, unit, label }: Progress): string {
  const amount = [current, total].filter((number) => number !== undefined).join(" of ");
  const counted = [amount, unit].filter((text) => text !== undefined && text !== "").join(" ");
  return [counted, label].filter((text) => text !== undefined && text !== "").join(": ");
}

/** `1.2k tokens in, 340 out, $0.03`; empty when nothing was used. */
export function usageInWords({ inputTokens = 0, outputTokens = 0, costUsd = 0 }: Usage | UsageReport): string {
  const isTokens = inputTokens > 0 || outputTokens > 0;
  return [
    ...(isTokens ? [`${compact(inputTokens)} tokens in, ${compact(outputTokens)} out`] : []),
    ...(costUsd > 0 ? [`$${Number(costUsd.toPrecision(3))}`] : []),
  ].join(", ");
}

function compact(tokens: number): string {
  return Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(tokens).toLowerCase();
}

/** How a request stands: what may be answered, or what was. */
export function requestInWords(request: InboxRequest, now: number): string {
  const { status, kind, choices, expiresAt, by, closedAt = now, answer, reason } = request;
  if (status !== "open") {
    const closed = [status, ...(by === undefined ? [] : [`by ${idWord(by)}`]), relative(closedAt, now)].join(" ");
    const what = answer === undefined ? reason : jsonText(answer);
    return what === undefined ? closed : `${closed}: ${phrase(what)}`;
  }
  const wanted = kind === "approval" ? "yes or no" : (choices?.map(words).join(" | ") ?? kind);
  return expiresAt === undefined ? wanted : `${wanted}, expires ${relative(expiresAt, now)}`;
}
