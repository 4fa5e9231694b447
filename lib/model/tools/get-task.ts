// get_task: all that is known of one task, as far as there is room; and the rest of what is long, a page at a time.
//
// A second look at a living task that has not changed says so and no more: polling is not worth its tokens.

import { NO_OUTPUT } from "../../core/live/output-ring.js";
import type { Task } from "../../core/live/task.js";
import { leftOf } from "../../core/spawn/budget.js";
import type { Artifact } from "../../core/task/record.js";
import type { Made } from "../../core/task/state.js";
import type { Json } from "../../core/values/json.js";
import { idOf as idInWords } from "../prompt/task-line.js";
import { advice } from "../prompt/tool-names.js";
import { visible, visibleText } from "../prompt/visible.js";
import { address, taskOf } from "./address.js";
import { type Host, handed, wakeInWords } from "./caller.js";
import { cut, endOf, fitted, headOf, present, type Result } from "./fit-to-bytes.js";
import { lastSeen, see } from "./last-shown.js";
import { questionsOf } from "./open-questions.js";
import { Refused } from "./refusals.js";
import { eventsOf, fromOf, messagesOf, messageText, pageReader, readFrom } from "./said.js";
import { endReader, idOf, inBrief, pageOf, resultTextOf, titleOf } from "./task-summary.js";
import { type Calling, type Setting, type TaskTool, taskTool } from "./tool.js";
import { flag, integer, NO_END, optional, text } from "./tool-schema.js";

const DESCRIPTION = "One task: result, open questions, messages, output.";
const MOST_MESSAGES = 5;
/** Where the older messages, or the events, are more than so many, the newest of them. */
const READ_ON = 10;
/** A number, or a number and a character of that one. */
const LONGEST_PLACE = 31;
const MOST_ARTIFACTS = 10;

export function getTask(setting: Setting): TaskTool {
  return taskTool(
    {
      name: "get_task",
      description: advice(setting.tools, `${DESCRIPTION} To wait for it use await_tasks.`, DESCRIPTION),
      fields: {
        task_id: address(),
        result_after: optional(integer(0, NO_END, "Read a long result on from this character")),
        output_after: optional(integer(0, NO_END, "Output since this output_cursor")),
        messages_from: optional(text(LONGEST_PLACE, "Read the messages from this number on")),
        events_from: optional(text(LONGEST_PLACE, "The same for custom events")),
        full: optional(flag("Also when nothing has changed")),
      },
      isRead: true,
      run: ({ task_id, result_after, output_after, messages_from, events_from, full = false }, calling) => {
        const task = taskOf(calling.host, task_id);
        if (messages_from !== undefined) return saidPage(task, "messages", messages_from, calling);
        if (events_from !== undefined) return saidPage(task, "events", events_from, calling);
        if (result_after !== undefined) return resultPage(task, result_after, calling);
        return look(task, output_after, full, calling);
      },
    },
    setting,
  );
}

function resultPage(task: Task, after: number, { host, maxBytes }: Calling): Result {
  const whole = resultTextOf(task);
  if (whole === undefined)
    throw new Refused(`${idInWords(task.id)} has no result to read`, "Call again without result_after");
  handed(host, task);
  return fitted(maxBytes, (room) => ({
    task_id: idOf(task),
    status: task.state.status,
    ...pageOf(host.tools, whole, after, room),
  }));
}

function saidPage(task: Task, field: "messages" | "events", from: string, { maxBytes }: Calling): Result {
  const page = pageReader(field === "messages" ? messagesOf(task) : eventsOf(task), field, from);
  return fitted(maxBytes, (room) => ({ task_id: idOf(task), status: task.state.status, ...page(room) }));
}

function look(task: Task, after: number | undefined, full: boolean, calling: Calling): Result {
  const { host, maxBytes } = calling;
  const facts = factsReader(host, task);
  const now = { facts: JSON.stringify(facts(maxBytes)), cursor: outputOf(task).cursor };
  const before = lastSeen(task, host.owner);
  see(task, host.owner, now);
  handed(host, task);
  const hasOutput = now.cursor > (after ?? before?.cursor ?? 0);
  const isUnchanged = !full && !task.isOver && before?.facts === now.facts;
  if (isUnchanged && !hasOutput) {
    const nothing = "Nothing new since your last look";
    const hint = advice(host.tools, `${nothing}. await_tasks waits for it; do not poll`, `${nothing}. Do not poll`);
    return { task_id: idOf(task), status: task.state.status, unchanged: true, hint };
  }
  if (isUnchanged) {
    const output = outputReader(task, after ?? before?.cursor);
    return fitted(maxBytes, (room) => ({
      task_id: idOf(task),
      status: task.state.status,
      unchanged: true,
      ...output(room),
    }));
  }
  const output = outputReader(task, after);
  return fitted(maxBytes, (room) => ({ ...facts(room), ...output(room / 2) }));
}

function factsReader(host: Host, task: Task): (room: number) => Result {
  const { state, traits } = task;
  const { summary, made } = state.details;
  const end = endReader(host, task);
  const questions = questionsOf(host, [task]);
  const events = eventsOf(task);
  const input = traits.input === undefined ? undefined : visibleText(traits.input);
  const { inputTokens, outputTokens, costUsd, tasks } = task.usage();
  const isUsed = inputTokens + outputTokens + costUsd > 0 || tasks > 1;
  const usage = { tokens: inputTokens + outputTokens, cost_usd: Number(costUsd.toPrecision(6)), tasks };
  return (room) =>
    present({
      ...inBrief(host, task, "questions apart", room),
      title: titleOf(task, room / 2),
      ...end(room),
      ...questions(room),
      summary: summary === undefined ? undefined : cut(summary, room / 2),
      ...newestMessages(task, room),
      events_more:
        events.newest === 0 || room === 0
          ? undefined
          : readFrom("events", Math.max(events.oldest, events.newest - READ_ON + 1)),
      artifacts: artifactsOf(made, room),
      usage: isUsed && room > 0 ? usage : undefined,
      budget: traits.budget === undefined ? undefined : cut(leftOf(task.usage(), traits.budget), room),
      input: input === undefined ? undefined : cut(input, room / 4),
      note: task.isOver || room === 0 ? undefined : wakeInWords(host, [task]) || undefined,
    });
}

/** The newest, oldest first; and how to read those that are older, or that are cut. */
function newestMessages(task: Task, room: number): { readonly [field: string]: Json | undefined } {
  const { newest } = messagesOf(task);
  if (newest === 0 || room === 0) return {};
  const limit = Math.min(MOST_MESSAGES, Math.floor(room / 80), newest);
  const first = newest - limit + 1;
  let firstCut: number | undefined;
  const shown: Result[] = [];
  for (let number = first; number <= newest; number++) {
    const message = task.extras?.mailbox?.at(number - 1);
    const said = messageText(message);
    const words = cut(said, room / limit) ?? "…";
    if (words !== visible(said)) firstCut ??= number;
    shown.push({ from: fromOf(message), text: words });
  }
  const next = first > 1 ? Math.max(1, first - READ_ON) : firstCut;
  return {
    messages: shown.length === 0 ? undefined : shown,
    messages_more: next === undefined ? undefined : readFrom("messages", next),
  };
}

/** The newest, oldest first; the chunks of one name are one. */
function artifactsOf(made: Made | undefined, room: number): readonly Result[] | undefined {
  const limit = Math.min(MOST_ARTIFACTS, Math.floor(room / 80));
  const shown = new Map<string, Result>();
  for (let each = made; each !== undefined; each = each.before) {
    const { artifact } = each;
    if (shown.has(artifact.name)) continue;
    if (shown.size === limit) break;
    shown.set(artifact.name, artifactOf(artifact, room / limit));
  }
  return shown.size === 0 ? undefined : [...shown.values()].toReversed();
}

function artifactOf(artifact: Artifact, room: number): Result {
  const { name, type, ...where } = artifact;
  const shown = "data" in where ? { name, type } : { name, type, ...where };
  const cuts = Object.entries(shown).map(([field, words]) => [field, cut(words, room / 2)] as const);
  return present(Object.fromEntries(cuts));
}

function outputOf(task: Task, after?: number) {
  return task.extras?.output?.read(after) ?? NO_OUTPUT;
}

/** The newest of it; or, after a cursor, what comes next, so that nothing is passed over. */
function outputReader(task: Task, after: number | undefined): (room: number) => Result {
  const { text: whole, cursor, dropped } = outputOf(task, after);
  if (cursor === 0) return () => ({});
  return (room) => {
    const shown = after === undefined ? endOf(whole, room) : headOf(whole, room);
    const left = whole.length - shown.length;
    return present({
      output: visible(shown),
      output_cursor: after === undefined ? cursor : cursor - left,
      output_missing: after !== undefined && dropped > 0 ? dropped : undefined,
      output_before: after === undefined && left + dropped > 0 ? left + dropped : undefined,
      output_more: after !== undefined && left > 0 ? left : undefined,
    });
  };
}
