// Notice text: describes an event of a task in one line for a model.
//
// The texts of a task are untrusted data: they are quoted, bounded and escaped, and cannot end their line or the fence.

import type { Task } from "../../core/live/task.js";
import { failureInWords } from "../../core/task/failure.js";
import type { Message } from "../../core/task/message.js";
import type { Happening } from "../../core/task/notice.js";
import type { TaskFailure } from "../../core/task/record.js";
import { quoted, quotedJson } from "./escape.js";
import { describeChoices, describeTask, idInText } from "./task-line.js";
import { visibleText } from "./visible.js";

/** Characters of a result, a message or an error; `get_task` reads the remaining text. */
export const MOST_OF_ONE = 600;
const MOST_OF_NAME = 60;

/** Describes one event of a task. `most`: the most characters of each text of the task. */
export function describeNotice(task: Task, what: Happening, most = MOST_OF_ONE): string {
  if (what.type === "message.sent" && what.message.direction === "inbound")
    return `you received: ${describeMessage(what.message, most)}`;
  return `${describeTask(task)} ${describeHappening(task, what, most)}`;
}

function describeHappening(task: Task, what: Happening, most: number): string {
  switch (what.type) {
    case "message.sent":
      return `says: ${describeMessage(what.message, most)}`;
    case "request.opened": {
      const { id, kind, question, choices, status } = what.request;
      if (status !== "open") return `asked ${quoted(question, most)}: ${status} by now`;
      if (kind === "approval") return `waits until a person approves: ${quoted(question, most)}`;
      const among = choices === undefined ? "" : ` (${describeChoices(choices)})`;
      return `asks ${idInText(id)}: ${quoted(question, most)}${among}`;
    }
    case "custom":
      return `emitted ${quoted(what.name, MOST_OF_NAME)}${what.payload === undefined ? "" : ` ${quotedJson(what.payload, most)}`}`;
    default:
      return describeEnd(task, most);
  }
}

function describeEnd({ state }: Task, most: number): string {
  const { ending, output, details } = state;
  const summary = details.summary === undefined ? "" : ` Summary: ${quoted(details.summary, most)}`;
  switch (ending?.status) {
    case "failed":
      return `${failed(ending.error, most)}${summary}`;
    case "cancelled":
      return `was cancelled: ${quoted(ending.reason, most)}${summary}`;
    case "interrupted": {
      const { reason, instanceId, pid, attemptsUsed } = ending;
      const process = instanceId === undefined ? "" : ` (instance ${idInText(instanceId)}, pid ${pid})`;
      return `was interrupted: ${reason}${process}; ${attemptsUsed === undefined ? "it is not resumed" : `its ${attemptsUsed} attempts are used up`}${summary}`;
    }
    default: {
      if (output === undefined) return `succeeded${summary}`;
      if ("outputOmitted" in output) return `succeeded, with a result that only the program can read${summary}`;
      if ("outputLost" in output) return `succeeded, and its result was lost since${summary}`;
      // A shortened notice shows the result without the summary: the result says more.
      return `succeeded: ${quotedJson(output.output, most)}${most < MOST_OF_ONE ? "" : summary}`;
    }
  }
}

function failed(error: TaskFailure, most: number): string {
  return `failed${error.code === "error" ? "" : ` (${error.code})`}: ${quoted(failureInWords(error), most)}`;
}

/** The content of a message as one quoted line of at most `most` characters. */
function describeMessage({ content }: Message, most: number): string {
  const texts = content.map((part) => (part.type === "text" ? part.text : visibleText(part.data)));
  return quoted(texts.join(" "), most);
}
