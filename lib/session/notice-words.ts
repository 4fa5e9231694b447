// Notice words: what happened to a task, in one line that a model reads.
//
// What a task says of itself is data that nobody vouches for: it stands quoted, bounded and escaped, and cannot end its line or its fence.

import { failureInWords } from "../core/failure.js";
import type { Happening, Notice } from "../core/notice.js";
import type { TaskFailure } from "../core/record.js";
import type { Task } from "../core/task.js";
import { quoted, quotedJson } from "./escaped.js";
import { messageInWords } from "./message-words.js";
import { choicesInWords, idOf, nameInWords } from "./standing.js";
import { advice, type ToolSet } from "./tools/names.js";

/** Of a result, a message, an error: what follows is read with `get_task`. */
const MOST_OF_ONE = 600;
const MOST_OF_NAME = 60;
const MOST_OF_BATCH = 8_000;

export function noticeInWords(task: Task, what: Happening): string {
  if (what.type === "message.sent" && what.message.direction === "inbound")
    return `you are told: ${messageInWords(what.message, MOST_OF_ONE)}`;
  return `${nameInWords(task)} ${happeningInWords(task, what)}`;
}

/** A fence around all of them; those that do not fit are counted. `tools`: what the model that reads it has. */
export function batchInWords(notices: readonly Notice[], tools: ToolSet): string {
  if (notices.length === 0) return "";
  const lines: string[] = [];
  let length = 0;
  for (const { text } of notices) {
    length += text.length + 3;
    if (length > MOST_OF_BATCH) break;
    lines.push(`- ${text}`);
  }
  const more = notices.length - lines.length;
  if (more > 0) lines.push(advice(tools, `… and ${more} more: list_tasks shows them`, `… and ${more} more`));
  return `<task_notices>\n${lines.join("\n")}\n</task_notices>`;
}

function happeningInWords(task: Task, what: Happening): string {
  switch (what.type) {
    case "message.sent":
      return `says: ${messageInWords(what.message, MOST_OF_ONE)}`;
    case "request.opened": {
      const { id, kind, question, choices, status } = what.request;
      if (status !== "open") return `asked ${quoted(question, MOST_OF_ONE)}: ${status} by now`;
      if (kind === "approval") return `waits until a person approves: ${quoted(question, MOST_OF_ONE)}`;
      const among = choices === undefined ? "" : ` (${choicesInWords(choices)})`;
      return `asks ${idOf(id)}: ${quoted(question, MOST_OF_ONE)}${among}`;
    }
    case "custom":
      return `emitted ${quoted(what.name, MOST_OF_NAME)}${what.payload === undefined ? "" : ` ${quotedJson(what.payload, MOST_OF_ONE)}`}`;
    default:
      return endInWords(task);
  }
}

function endInWords({ state }: Task): string {
  const { outcome, output, details } = state;
  const summary = details.summary === undefined ? "" : ` Summary: ${quoted(details.summary, MOST_OF_ONE)}`;
  switch (outcome?.status) {
    case "failed":
      return `${failed(outcome.error)}${summary}`;
    case "cancelled":
      return `was cancelled: ${quoted(outcome.reason, MOST_OF_ONE)}${summary}`;
    case "interrupted": {
      const { reason, instanceId, pid, attemptsUsed } = outcome;
      const process = instanceId === undefined ? "" : ` (instance ${idOf(instanceId)}, pid ${pid})`;
      return `was interrupted: ${reason}${process}; ${attemptsUsed === undefined ? "it does not go on" : `its ${attemptsUsed} attempts are used up`}${summary}`;
    }
    default: {
      if (output === undefined) return `succeeded${summary}`;
      if ("outputOmitted" in output) return `succeeded, with a result that only the program can read${summary}`;
      if ("outputLost" in output) return `succeeded, and its result was lost since${summary}`;
      return `succeeded: ${quotedJson(output.output, MOST_OF_ONE)}${summary}`;
    }
  }
}

function failed(error: TaskFailure): string {
  return `failed${error.code === "error" ? "" : ` (${error.code})`}: ${quoted(failureInWords(error), MOST_OF_ONE)}`;
}
