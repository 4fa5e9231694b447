// await_tasks: a model waits until tasks end. The wait returns early for a question, or for a message to the model's
// task.
//
// An end that the result shows makes no notice afterwards. The other ends are delivered later (N2).

import type { Task } from "../../core/live/task.js";
import { advice } from "../prompt/tool-names.js";
import { LONGEST_ADDRESS, taskOf } from "./address.js";
import { type Caller, describeWake, isUnreported, markShown } from "./caller.js";
import { definedFields, fitToBytes, type Result } from "./fit-to-bytes.js";
import { questionsOf } from "./open-questions.js";
import { endReader, idOf, nameOf, summaryOf } from "./task-summary.js";
import { type Execution, type Setting, type TaskTool, taskTool } from "./tool.js";
import { integer, oneOf, optional, texts } from "./tool-schema.js";
import { waitOrMessage } from "./wait-or-message.js";

const MOST_AWAITED = 1_000;
const LONGEST_WAIT_MS = 3_600_000;
const DEFAULT_WAIT_MS = 300_000;

/** Makes the tool `await_tasks`. */
export function awaitTasks(setting: Setting): TaskTool {
  return taskTool(
    {
      name: "await_tasks",
      description:
        "Wait until tasks end, and have their results. Returns early when one asks something or you have a message.",
      fields: {
        task_ids: optional(texts(MOST_AWAITED, LONGEST_ADDRESS, "Their task_ids or names. Default: all")),
        mode: optional(oneOf(["all", "any"])),
        timeout_ms: optional(integer(0, LONGEST_WAIT_MS, `Default ${DEFAULT_WAIT_MS}`)),
      },
      isRead: true,
      run: async ({ task_ids = [], mode = "all", timeout_ms: timeoutMs = DEFAULT_WAIT_MS }, execution) => {
        const { caller, signal } = execution;
        const tasks =
          task_ids.length === 0 ? unreported(caller) : [...new Set(task_ids.map((id) => taskOf(caller, id)))];
        if (tasks.length === 0)
          return { reason: "done", ended: [], note: "No task lives, and you have had every result" };
        const waited = await waitOrMessage(caller, tasks, { until: mode, timeoutMs, stopOnRequest: true, signal });
        return resultFor(tasks, waited === "message" ? waited : waited.reason, execution);
      },
    },
    setting,
  );
}

/**
 * The tasks to await by default: living tasks that are below no other of them, and ends that this loop has not
 * received.
 */
function unreported(caller: Caller): Task[] {
  const found = [...caller.tasks()].filter((task) => !task.isOver || isUnreported(caller, task));
  const living = new Set(found.filter((task) => !task.isOver));
  return found.filter(({ parent, isOver }) => isOver || parent === undefined || !living.has(parent));
}

/** The result of the tool, with as many ends as fit. The ends that it shows count as delivered (N2). */
function resultFor(tasks: readonly Task[], reason: keyof typeof REASONS, { caller, maxBytes }: Execution): Result {
  const ended = tasks.filter((task) => task.isOver).toSorted((a, b) => a.endOrder - b.endOrder);
  const pending = tasks.filter((task) => !task.isOver);
  const ends = ended.map((task) => endReader(caller, task));
  const questions = questionsOf(caller, pending);
  const isAsked = "answer_with" in questions(maxBytes);
  const result = fitToBytes(maxBytes, (bytes) => {
    const shown = Math.min(ended.length, Math.floor(bytes / BYTES_OF_ENDED));
    const waiting = Math.min(pending.length, Math.floor(bytes / BYTES_OF_PENDING));
    return definedFields({
      reason: REASONS[reason],
      ...questions(bytes),
      ended: ended.slice(0, shown).map((task, index) => endedOf(task, ends[index], bytes / shown)),
      more_ended: shown < ended.length ? ended.length - shown : undefined,
      pending:
        waiting === 0
          ? undefined
          : pending.slice(0, waiting).map((task) => summaryOf(caller, task, "questions apart", bytes / waiting)),
      more_pending: waiting < pending.length ? pending.length - waiting : undefined,
      note: noteFor(reason, { isCut: shown < ended.length, isAsked, pending }, caller),
    });
  });
  const shown = Array.isArray(result.ended) ? result.ended.length : 0;
  for (const task of ended.slice(0, shown)) markShown(caller, task);
  return result;
}
const BYTES_OF_ENDED = 64;
const BYTES_OF_PENDING = 128;
const REASONS = { done: "done", timeout: "timeout", request: "question", message: "message" } as const;

function endedOf(task: Task, end: ((bytes: number) => Result) | undefined, bytes: number): Result {
  return definedFields({
    task_id: idOf(task),
    name: nameOf(task, bytes / 4),
    status: task.state.status,
    ...end?.(bytes),
  });
}

interface Found {
  readonly isCut: boolean;
  /** Whether the model may read an open question of the pending tasks. */
  readonly isAsked: boolean;
  readonly pending: readonly Task[];
}

function noteFor(reason: keyof typeof REASONS, { isCut, isAsked, pending }: Found, caller: Caller): string | undefined {
  if (reason === "message") return "You have a message: end your turn, and you will read it";
  if (reason === "request" && isAsked && caller.tools.has("message_task")) return "Answer it if you can, then wait on";
  if (reason === "request") return "Others answer it: wait on";
  if (isCut)
    return advice(
      caller.tools,
      "await_tasks again, or get_task, gives the others",
      "await_tasks again gives the others",
    );
  return reason === "timeout" ? `The same work goes on. ${describeWake(caller, pending)}`.trimEnd() : undefined;
}
