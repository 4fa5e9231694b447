// await_tasks: a model waits for tasks to end. It is called back early by a question, or by a message for itself.

import type { Task } from "../../core/live/task.js";
import { advice } from "../prompt/tool-names.js";
import { LONGEST_ADDRESS, taskOf } from "./address.js";
import { type Host, handed, isUntold, tasksOf, wakeInWords } from "./caller.js";
import { fitted, present, type Result } from "./fit-to-bytes.js";
import { questionsOf } from "./open-questions.js";
import { endReader, idOf, inBrief, nameOf } from "./task-summary.js";
import { type Calling, type Setting, type TaskTool, taskTool } from "./tool.js";
import { integer, oneOf, optional, texts } from "./tool-schema.js";
import { waitUnlessSteered } from "./wait-or-message.js";

const MOST_AWAITED = 1_000;
const LONGEST_WAIT_MS = 3_600_000;
const DEFAULT_WAIT_MS = 300_000;

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
      run: async ({ task_ids = [], mode = "all", timeout_ms: timeoutMs = DEFAULT_WAIT_MS }, calling) => {
        const { host, signal } = calling;
        const tasks = task_ids.length === 0 ? untold(host) : [...new Set(task_ids.map((id) => taskOf(host, id)))];
        if (tasks.length === 0)
          return { reason: "done", ended: [], note: "No task lives, and you have had every result" };
        const waited = await waitUnlessSteered(host, tasks, { until: mode, timeoutMs, stopOnRequest: true, signal });
        return told(tasks, waited === "message" ? waited : waited.reason, calling);
      },
    },
    setting,
  );
}

/** The living ones that are below no other living one, which ends after them; and those whose end nobody has told this loop yet (W1). */
function untold(host: Host): Task[] {
  const found = [...tasksOf(host)].filter((task) => !task.isOver || isUntold(host, task));
  const living = new Set(found.filter((task) => !task.isOver));
  return found.filter(({ parent, isOver }) => isOver || parent === undefined || !living.has(parent));
}

/** What is shown is told; the rest comes again, as a notice or at the next look (N2). */
function told(tasks: readonly Task[], reason: keyof typeof REASONS, { host, maxBytes }: Calling): Result {
  const ended = tasks.filter((task) => task.isOver).toSorted((a, b) => a.endOrder - b.endOrder);
  const pending = tasks.filter((task) => !task.isOver);
  const ends = ended.map((task) => endReader(host, task));
  const questions = questionsOf(host, pending);
  const isAsked = "answer_with" in questions(maxBytes);
  const result = fitted(maxBytes, (room) => {
    const shown = Math.min(ended.length, Math.floor(room / ROOM_OF_ENDED));
    const waiting = Math.min(pending.length, Math.floor(room / ROOM_OF_PENDING));
    return present({
      reason: REASONS[reason],
      ...questions(room),
      ended: ended.slice(0, shown).map((task, index) => endedOf(task, ends[index], room / shown)),
      more_ended: shown < ended.length ? ended.length - shown : undefined,
      pending:
        waiting === 0
          ? undefined
          : pending.slice(0, waiting).map((task) => inBrief(host, task, "questions apart", room / waiting)),
      more_pending: waiting < pending.length ? pending.length - waiting : undefined,
      note: noteFor(reason, { isCut: shown < ended.length, isAsked, pending }, host),
    });
  });
  const shown = Array.isArray(result.ended) ? result.ended.length : 0;
  for (const task of ended.slice(0, shown)) handed(host, task);
  return result;
}
const ROOM_OF_ENDED = 64;
const ROOM_OF_PENDING = 128;
const REASONS = { done: "done", timeout: "timeout", request: "question", message: "message" } as const;

function endedOf(task: Task, end: ((room: number) => Result) | undefined, room: number): Result {
  return present({ task_id: idOf(task), name: nameOf(task, room / 4), status: task.state.status, ...end?.(room) });
}

interface Found {
  readonly isCut: boolean;
  /** There is a question that the model may read. */
  readonly isAsked: boolean;
  readonly pending: readonly Task[];
}

function noteFor(reason: keyof typeof REASONS, { isCut, isAsked, pending }: Found, host: Host): string | undefined {
  if (reason === "message") return "You have a message: end your turn, and you will read it";
  if (reason === "request" && isAsked && host.tools.has("message_task")) return "Answer it if you can, then wait on";
  if (reason === "request") return "Others answer it: wait on";
  if (isCut)
    return advice(host.tools, "await_tasks again, or get_task, gives the others", "await_tasks again gives the others");
  return reason === "timeout" ? `The same work goes on. ${wakeInWords(host, pending)}`.trimEnd() : undefined;
}
