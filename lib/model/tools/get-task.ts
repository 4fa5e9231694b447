// get_task: a model reads one task: its state, and the pages of a long result, of messages, events and output.
//
// A second call for a living task that has not changed says only that, so that polling costs few tokens (§9).

import { NO_OUTPUT } from "../../core/live/output-ring.js";
import type { Task } from "../../core/live/task.js";
import type { Artifact } from "../../core/task/record.js";
import type { Made } from "../../core/task/state.js";
import type { Json } from "../../core/values/json.js";
import { leftOf } from "../prompt/budget-text.js";
import { idInText } from "../prompt/task-line.js";
import { advice } from "../prompt/tool-names.js";
import { visible, visibleText } from "../prompt/visible.js";
import { address, taskOf } from "./address.js";
import { type Caller, describeWake, markShown } from "./caller.js";
import { cut, definedFields, endOf, fitToBytes, headOf, type Result } from "./fit-to-bytes.js";
import { eventsOf, fromOf, messagesOf, messageText, pageReader, readFrom } from "./item-pages.js";
import { lastShown, recordShown } from "./last-shown.js";
import { questionsOf } from "./open-questions.js";
import { ToolRefusal } from "./refusals.js";
import { endReader, idOf, pageOf, resultTextOf, summaryOf, titleOf } from "./task-summary.js";
import { type Execution, type Setting, type TaskTool, taskTool } from "./tool.js";
import { flag, integer, NO_END, optional, text } from "./tool-schema.js";

const DESCRIPTION = "One task: result, open questions, messages, output.";
const MOST_MESSAGES = 5;
/** `messages_more` and `events_more` begin at most so many items back. */
const READ_ON = 10;
/** The most characters of a place: a number, or a number and a character within that item. */
const LONGEST_PLACE = 31;
const MOST_ARTIFACTS = 10;

/** Makes the tool `get_task`. */
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
      run: ({ task_id, result_after, output_after, messages_from, events_from, full = false }, execution) => {
        const task = taskOf(execution.caller, task_id);
        if (messages_from !== undefined) return itemPage(task, "messages", messages_from, execution);
        if (events_from !== undefined) return itemPage(task, "events", events_from, execution);
        if (result_after !== undefined) return resultPage(task, result_after, execution);
        return overview(task, output_after, full, execution);
      },
    },
    setting,
  );
}

function resultPage(task: Task, after: number, { caller, maxBytes }: Execution): Result {
  const whole = resultTextOf(task);
  if (whole === undefined)
    throw new ToolRefusal(`${idInText(task.id)} has no result to read`, "Call again without result_after");
  markShown(caller, task);
  return fitToBytes(maxBytes, (bytes) => ({
    task_id: idOf(task),
    status: task.state.status,
    ...pageOf(caller.tools, whole, after, bytes),
  }));
}

function itemPage(task: Task, field: "messages" | "events", from: string, { maxBytes }: Execution): Result {
  const page = pageReader(field === "messages" ? messagesOf(task) : eventsOf(task), field, from);
  return fitToBytes(maxBytes, (bytes) => ({ task_id: idOf(task), status: task.state.status, ...page(bytes) }));
}

/** The facts and the newest output; for an unchanged task only what is new. */
function overview(task: Task, after: number | undefined, full: boolean, execution: Execution): Result {
  const { caller, maxBytes } = execution;
  const facts = factsReader(caller, task);
  const now = { facts: JSON.stringify(facts(maxBytes)), cursor: outputOf(task).cursor };
  const before = lastShown(task, caller.owner);
  recordShown(task, caller.owner, now);
  markShown(caller, task);
  const hasOutput = now.cursor > (after ?? before?.cursor ?? 0);
  const isUnchanged = !full && !task.isOver && before?.facts === now.facts;
  if (isUnchanged && !hasOutput) {
    const nothing = "Nothing new since your last look";
    const hint = advice(caller.tools, `${nothing}. await_tasks waits for it; do not poll`, `${nothing}. Do not poll`);
    return { task_id: idOf(task), status: task.state.status, unchanged: true, hint };
  }
  if (isUnchanged) {
    const output = outputReader(task, after ?? before?.cursor);
    return fitToBytes(maxBytes, (bytes) => ({
      task_id: idOf(task),
      status: task.state.status,
      unchanged: true,
      ...output(bytes),
    }));
  }
  const output = outputReader(task, after);
  return fitToBytes(maxBytes, (bytes) => ({ ...facts(bytes), ...output(bytes / 2) }));
}

function factsReader(caller: Caller, task: Task): (bytes: number) => Result {
  const { state, traits } = task;
  const { summary, made } = state.details;
  const end = endReader(caller, task);
  const questions = questionsOf(caller, [task]);
  const events = eventsOf(task);
  const input = traits.input === undefined ? undefined : visibleText(traits.input);
  const { inputTokens, outputTokens, costUsd, tasks } = task.usage();
  const isUsed = inputTokens + outputTokens + costUsd > 0 || tasks > 1;
  const usage = { tokens: inputTokens + outputTokens, cost_usd: Number(costUsd.toPrecision(6)), tasks };
  return (bytes) =>
    definedFields({
      ...summaryOf(caller, task, "questions apart", bytes),
      title: titleOf(task, bytes / 2),
      ...end(bytes),
      ...questions(bytes),
      summary: summary === undefined ? undefined : cut(summary, bytes / 2),
      ...newestMessages(task, bytes),
      events_more:
        events.newest === 0 || bytes === 0
          ? undefined
          : readFrom("events", Math.max(events.oldest, events.newest - READ_ON + 1)),
      artifacts: artifactsOf(made, bytes),
      usage: isUsed && bytes > 0 ? usage : undefined,
      budget: traits.budget === undefined ? undefined : cut(leftOf(task.usage(), traits.budget), bytes),
      input: input === undefined ? undefined : cut(input, bytes / 4),
      note: task.isOver || bytes === 0 ? undefined : describeWake(caller, [task]) || undefined,
    });
}

/** The newest messages, oldest first, and the call that reads the older or cut ones. */
function newestMessages(task: Task, bytes: number): { readonly [field: string]: Json | undefined } {
  const { newest } = messagesOf(task);
  if (newest === 0 || bytes === 0) return {};
  const limit = Math.min(MOST_MESSAGES, Math.floor(bytes / 80), newest);
  const first = newest - limit + 1;
  let firstCut: number | undefined;
  const shown: Result[] = [];
  for (let number = first; number <= newest; number++) {
    const message = task.extras?.mailbox?.at(number - 1);
    const said = messageText(message);
    const part = cut(said, bytes / limit) ?? "…";
    if (part !== visible(said)) firstCut ??= number;
    shown.push({ from: fromOf(message), text: part });
  }
  const next = first > 1 ? Math.max(1, first - READ_ON) : firstCut;
  return {
    messages: shown.length === 0 ? undefined : shown,
    messages_more: next === undefined ? undefined : readFrom("messages", next),
  };
}

/** The newest artifacts, oldest first. The chunks of one name count as one artifact. */
function artifactsOf(made: Made | undefined, bytes: number): readonly Result[] | undefined {
  const limit = Math.min(MOST_ARTIFACTS, Math.floor(bytes / 80));
  const shown = new Map<string, Result>();
  for (let each = made; each !== undefined; each = each.before) {
    const { artifact } = each;
    if (shown.has(artifact.name)) continue;
    if (shown.size === limit) break;
    shown.set(artifact.name, artifactOf(artifact, bytes / limit));
  }
  return shown.size === 0 ? undefined : [...shown.values()].toReversed();
}

function artifactOf(artifact: Artifact, bytes: number): Result {
  const { name, type, ...where } = artifact;
  const shown = "data" in where ? { name, type } : { name, type, ...where };
  const cuts = Object.entries(shown).map(([field, value]) => [field, cut(value, bytes / 2)] as const);
  return definedFields(Object.fromEntries(cuts));
}

function outputOf(task: Task, after?: number) {
  return task.extras?.output?.read(after) ?? NO_OUTPUT;
}

/** The newest output. After a cursor it is the output that follows the cursor, so that no output is skipped. */
function outputReader(task: Task, after: number | undefined): (bytes: number) => Result {
  const { text: whole, cursor, dropped } = outputOf(task, after);
  if (cursor === 0) return () => ({});
  return (bytes) => {
    const shown = after === undefined ? endOf(whole, bytes) : headOf(whole, bytes);
    const left = whole.length - shown.length;
    return definedFields({
      output: visible(shown),
      output_cursor: after === undefined ? cursor : cursor - left,
      output_missing: after !== undefined && dropped > 0 ? dropped : undefined,
      output_before: after === undefined && left + dropped > 0 ? left + dropped : undefined,
      output_more: after !== undefined && left > 0 ? left : undefined,
    });
  };
}
