// message_task: a model sends a message to a task, or answers its question. It never answers an approval (A5).

import type { Sent, Steered } from "../../core/inbox/messages.js";
import type { Task } from "../../core/live/task.js";
import { isErrandError } from "../../core/task/errors.js";
import { thrownInWords } from "../../core/task/failure.js";
import type { Content } from "../../core/task/message.js";
import type { InboxRequest } from "../../core/task/request.js";
import { Alarm } from "../../core/time/clock.js";
import { follow, reasonOf } from "../../core/values/abort-signal.js";
import { handled } from "../../core/values/handled.js";
import { copyJson } from "../../core/values/json.js";
import { quoted } from "../prompt/escape.js";
import { idInText } from "../prompt/task-line.js";
import { advice } from "../prompt/tool-names.js";
import { visible } from "../prompt/visible.js";
import { address, LONGEST_ADDRESS, taskOf } from "./address.js";
import type { Caller } from "./caller.js";
import { cut, definedFields, fitToBytes, type Result } from "./fit-to-bytes.js";
import { questionsOf } from "./open-questions.js";
import { ToolRefusal } from "./refusals.js";
import { idOf } from "./task-summary.js";
import { type Execution, type Setting, storeMs, type TaskTool, taskTool, UnstoredRefusal } from "./tool.js";
import { optional, text } from "./tool-schema.js";

/** The most characters of a message: the journal keeps it with the task. */
const LONGEST_MESSAGE = 100_000;

/** Makes the tool `message_task`. */
export function messageTask(setting: Setting): TaskTool {
  return taskTool(
    {
      name: "message_task",
      description: "Tell a living task something, or answer its question. Approvals are for people.",
      fields: {
        task_id: address(),
        message: text(LONGEST_MESSAGE, "A question with answer_schema takes JSON"),
        in_reply_to: optional(text(LONGEST_ADDRESS, "request_id of the question it answers")),
      },
      run: ({ task_id, message, in_reply_to }, execution) => {
        const task = taskOf(execution.caller, task_id);
        return in_reply_to === undefined
          ? send(task, message, execution)
          : answer(task, message, in_reply_to, execution);
      },
    },
    setting,
  );
}

/** Sends a message. The result distinguishes a stored message from one that the task has read (§9). */
async function send(task: Task, message: string, { caller, maxBytes, signal }: Execution): Promise<Result> {
  const { status } = task.state;
  const waitsFor = new Set([...task.state.blockedOn].map(({ on }) => on));
  const isAwaitedByTool = (task.extras?.mailbox?.lookouts.size ?? 0) > 0;
  let sent: Sent;
  try {
    sent = caller.core.messages.pass(task, message);
  } catch (error) {
    if (!isErrandError(error, "TASK_TERMINATED")) throw error;
    const reason = task.isOver
      ? `It is over: ${task.state.status}`
      : "It has returned, and waits only for tasks below it";
    const hint = advice(caller.tools, "get_task shows how it stands", "spawn_task starts other work", "Do without it");
    return { task_id: idOf(task), outcome: "not_delivered", reason, hint };
  }
  await untilStored(caller, signal, sent.stored);
  // The message wakes a loop that waits for notices, and is in its next batch.
  const isTaken = sent.isTaken || waitsFor.has("notice");
  const steered =
    isTaken || sent.steered === undefined ? undefined : await withLimit(caller, signal, sent.steered, LONGEST_STEER_MS);
  // The message may have ended the task.
  const questions = questionsOf(caller, task.isOver ? [] : [task]);
  const isDelivered = isTaken || steered?.is === "taken";
  const isAsking = [...task.state.blockedOn].some(({ on }) => on === "input");
  const stillAsks = isAsking ? "Its question is still open: in_reply_to answers it" : undefined;
  const [outcome, note] =
    status === "queued"
      ? ["queued", "It has not started: it will find the message when it does"]
      : isDelivered
        ? ["delivered", stillAsks]
        : [
            "kept",
            stillAsks ?? describeUnread(caller, { hasSteer: sent.steered !== undefined, steered, isAwaitedByTool }),
          ];
  return fitToBytes(maxBytes, (bytes) =>
    definedFields({
      task_id: idOf(task),
      outcome,
      note: note === undefined ? undefined : cut(note, MOST_OF_NOTE),
      ...questions(bytes),
    }),
  );
}
const MOST_OF_NOTE = 240;

/** The reasons why a message is not read yet. */
interface Unread {
  readonly hasSteer: boolean;
  readonly steered: Steered | undefined;
  readonly isAwaitedByTool: boolean;
}

function describeUnread({ tools }: Caller, { hasSteer, steered, isAwaitedByTool }: Unread): string {
  if (steered?.is === "failed") {
    return `The task has not read it: its kind refused it: ${quoted(thrownInWords(steered.error), MOST_OF_REASON)}`;
  }
  if (steered?.is === "over") return "The task ended before it read it";
  if (hasSteer) return "Its kind has not taken it yet";
  if (isAwaitedByTool) return "The task has not read it yet, but its waiting tool reports it";
  return advice(
    tools,
    "The task has not read it, and may never do: a task reads when its work asks for messages. If it must know, cancel_task and spawn_task begin anew",
    "The task has not read it, and may never do: a task reads when its work asks for messages",
  );
}
const MOST_OF_REASON = 120;

/** Waits until the write is stored. Throws a refusal that names the store when it accepts no writes (D1). */
async function untilStored(caller: Caller, signal: AbortSignal | undefined, written: Promise<unknown>): Promise<void> {
  const isStored = written.then(() => true);
  if ((await withLimit(caller, signal, isStored, storeMs(caller.core))) === undefined)
    throw new UnstoredRefusal(caller.core.loop.committer?.failure);
}

/** Resolves with `undefined` when `ms` pass first, because a `deliver` of the program and a store may never settle. */
async function withLimit<T>(
  { core }: Caller,
  signal: AbortSignal | undefined,
  work: Promise<T>,
  ms: number,
): Promise<T | undefined> {
  let stop = (): void => {};
  const late = new Promise<undefined>((resolve, reject) => {
    const alarm = new Alarm(core.loop.clock, ms, () => resolve(undefined));
    const unfollow = signal === undefined ? undefined : follow(signal, () => reject(reasonOf(signal)));
    stop = () => {
      alarm.cancel();
      unfollow?.();
    };
  });
  try {
    return await Promise.race([handled(work), late]);
  } finally {
    stop();
  }
}
const LONGEST_STEER_MS = 2_000;

async function answer(task: Task, message: string, requestId: string, { caller, signal }: Execution): Promise<Result> {
  const request = caller.core.requests.get(requestId);
  if (request?.taskId !== task.id)
    throw new ToolRefusal(
      `${idInText(task.id)} has no question ${idInText(requestId)}`,
      advice(caller.tools, "get_task shows its open questions", "Send it without in_reply_to"),
    );
  if (request.kind === "approval")
    throw new ToolRefusal(
      `${idInText(request.id)} is an approval: only a person can give it`,
      advice(caller.tools, "Wait with await_tasks, or do something else", "Do something else"),
    );
  await untilStored(
    caller,
    signal,
    caller.core.messages.send(task, contentFor(request, message), { inReplyTo: requestId }),
  );
  return { task_id: idOf(task), outcome: "delivered", note: "It has its answer and goes on" };
}

/** The content of an answer. A model writes text: a choice as it was shown, or the JSON text of another value. */
function contentFor({ kind, choices = [] }: InboxRequest, message: string): Content {
  if (kind === "choice" && !choices.includes(message)) {
    const [meant = message, ...others] = choices.filter((choice) => visible(choice) === message);
    return others.length === 0 ? meant : message;
  }
  if (kind !== "json") return message;
  try {
    const copied = copyJson(JSON.parse(message));
    return copied.ok ? [{ type: "data", data: copied.json }] : message;
  } catch {
    return message;
  }
}
