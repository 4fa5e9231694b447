// message_task: a model steers a task, or answers what it asks. Never an approval (A5).

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
import { idOf as idInWords } from "../prompt/task-line.js";
import { advice } from "../prompt/tool-names.js";
import { visible } from "../prompt/visible.js";
import { address, LONGEST_ADDRESS, taskOf } from "./address.js";
import type { Host } from "./caller.js";
import { cut, fitted, present, type Result } from "./fit-to-bytes.js";
import { questionsOf } from "./open-questions.js";
import { Refused } from "./refusals.js";
import { idOf } from "./task-summary.js";
import { type Calling, type Setting, storeMs, type TaskTool, taskTool, Unstored } from "./tool.js";
import { optional, text } from "./tool-schema.js";

/** Kept in the journal, with every other message of the task. */
const LONGEST_MESSAGE = 100_000;

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
      run: ({ task_id, message, in_reply_to }, calling) => {
        const task = taskOf(calling.host, task_id);
        return in_reply_to === undefined ? send(task, message, calling) : answer(task, message, in_reply_to, calling);
      },
    },
    setting,
  );
}

/** Says no more than what is so: a message that is stored has not been read by that (§9). */
async function send(task: Task, message: string, { host, maxBytes, signal }: Calling): Promise<Result> {
  const { status } = task.state;
  const waitsFor = new Set([...task.state.blockedOn].map(({ on }) => on));
  const isLookedOut = (task.extras?.mailbox?.lookouts.size ?? 0) > 0;
  let sent: Sent;
  try {
    sent = host.core.messages.pass(task, message);
  } catch (error) {
    if (!isErrandError(error, "TASK_TERMINATED")) throw error;
    const reason = task.isOver
      ? `It is over: ${task.state.status}`
      : "It has returned, and waits only for tasks below it";
    const hint = advice(host.tools, "get_task shows how it stands", "spawn_task starts other work", "Do without it");
    return { task_id: idOf(task), outcome: "not_delivered", reason, hint };
  }
  await stored(host, signal, sent.stored);
  // A loop that waits for notices is woken by the message, and has it in its next batch.
  const isTaken = sent.isTaken || waitsFor.has("notice");
  const steered =
    isTaken || sent.steered === undefined ? undefined : await within(host, signal, sent.steered, LONGEST_STEER_MS);
  // It may have ended by the message.
  const questions = questionsOf(host, task.isOver ? [] : [task]);
  const isDelivered = isTaken || steered?.is === "taken";
  const isAsking = [...task.state.blockedOn].some(({ on }) => on === "input");
  const stillAsks = isAsking ? "Its question is still open: in_reply_to answers it" : undefined;
  const [outcome, note] =
    status === "queued"
      ? ["queued", "It has not started: it will find the message when it does"]
      : isDelivered
        ? ["delivered", stillAsks]
        : ["kept", stillAsks ?? keptInWords(host, { hasSteer: sent.steered !== undefined, steered, isLookedOut })];
  return fitted(maxBytes, (room) =>
    present({
      task_id: idOf(task),
      outcome,
      note: note === undefined ? undefined : cut(note, MOST_OF_NOTE),
      ...questions(room),
    }),
  );
}
const MOST_OF_NOTE = 240;

interface Kept {
  readonly hasSteer: boolean;
  readonly steered: Steered | undefined;
  readonly isLookedOut: boolean;
}

function keptInWords({ tools }: Host, { hasSteer, steered, isLookedOut }: Kept): string {
  if (steered?.is === "failed") {
    return `The task has not read it: its kind refused it: ${quoted(thrownInWords(steered.error), MOST_OF_REASON)}`;
  }
  if (steered?.is === "over") return "The task ended before it read it";
  if (hasSteer) return "Its kind has not taken it yet";
  if (isLookedOut) return "The task has not read it, but is told that it is there";
  return advice(
    tools,
    "The task has not read it, and may never do: a task reads when its work asks for messages. If it must know, cancel_task and spawn_task begin anew",
    "The task has not read it, and may never do: a task reads when its work asks for messages",
  );
}
const MOST_OF_REASON = 120;

/** D1: while the store accepts no writes the model gets a refusal that says this. */
async function stored(host: Host, signal: AbortSignal | undefined, written: Promise<unknown>): Promise<void> {
  const isStored = written.then(() => true);
  if ((await within(host, signal, isStored, storeMs(host.core))) === undefined)
    throw new Unstored(host.core.committer?.failure);
}

/** `undefined` when `ms` pass first: a `deliver` of the program, and a store, may take their time, and may never end. */
async function within<T>(
  { core }: Host,
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

async function answer(task: Task, message: string, requestId: string, { host, signal }: Calling): Promise<Result> {
  const request = host.core.requests.get(requestId);
  if (request?.taskId !== task.id)
    throw new Refused(
      `${idInWords(task.id)} has no question ${idInWords(requestId)}`,
      advice(host.tools, "get_task shows its open questions", "Send it without in_reply_to"),
    );
  if (request.kind === "approval")
    throw new Refused(
      `${idInWords(request.id)} is an approval: only a person can give it`,
      advice(host.tools, "Wait with await_tasks, or do something else", "Do something else"),
    );
  await stored(host, signal, host.core.messages.send(task, contentFor(request, message), { inReplyTo: requestId }));
  return { task_id: idOf(task), outcome: "delivered", note: "It has its answer and goes on" };
}

/** A model writes text: a choice as it was shown; where a schema asks for more, the JSON of it, if it is any. */
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
