// message_task: a model steers a task, or answers what it asks. Never an approval (A5).

import { isErrandError } from "../../core/errors.js";
import { copyJson } from "../../core/json.js";
import type { Content } from "../../core/message.js";
import type { InboxRequest } from "../../core/request.js";
import type { Task } from "../../core/task.js";
import { idOf as idInWords } from "../standing.js";
import { visible } from "../visible.js";
import { fitted, present, type Result } from "./bounded.js";
import { taskOf } from "./host.js";
import { questionsOf } from "./questions.js";
import { Refused } from "./refusals.js";
import { idOf } from "./task-facts.js";
import { type Calling, type HostOf, type TaskTool, taskTool } from "./tool.js";
import { optional, text } from "./tool-schema.js";

export function messageTask(hostOf: HostOf, maxBytes: number): TaskTool {
  return taskTool(
    {
      name: "message_task",
      description: "Tell a living task something, or answer its question. Approvals are for people.",
      fields: {
        task_id: text(),
        message: text("A question with answer_schema takes JSON"),
        in_reply_to: optional(text("request_id of the question it answers")),
      },
      run: ({ task_id, message, in_reply_to }, calling) => {
        const task = taskOf(calling.host, task_id);
        return in_reply_to === undefined ? send(task, message, calling) : answer(task, message, in_reply_to, calling);
      },
    },
    hostOf,
    maxBytes,
  );
}

async function send(task: Task, message: string, { host, maxBytes }: Calling): Promise<Result> {
  const { status } = task.state;
  try {
    await host.core.messages.send(task, message);
  } catch (error) {
    if (!isErrandError(error, "TASK_TERMINATED")) throw error;
    const reason = task.isOver
      ? `It is over: ${task.state.status}`
      : "It has returned, and waits only for tasks below it";
    return { task_id: idOf(task), outcome: "not_delivered", reason, hint: "get_task shows how it stands" };
  }
  // It may have ended by the message.
  const questions = questionsOf(host, task.isOver ? [] : [task]);
  return fitted(maxBytes, (room) =>
    present({
      task_id: idOf(task),
      outcome: status === "queued" ? "queued" : "delivered",
      note: noteFor(task, status === "queued"),
      ...questions(room),
    }),
  );
}

function noteFor(task: Task, wasQueued: boolean): string | undefined {
  if (wasQueued) return "It has not started: it will find the message when it does";
  const isAsking = [...task.state.blockedOn].some(({ on }) => on === "input");
  return isAsking ? "Its question is still open: in_reply_to answers it" : undefined;
}

async function answer(task: Task, message: string, requestId: string, { host }: Calling): Promise<Result> {
  const request = host.core.requests.get(requestId);
  if (request?.taskId !== task.id)
    throw new Refused(
      `${idInWords(task.id)} has no question ${idInWords(requestId)}`,
      "get_task shows its open questions",
    );
  if (request.kind === "approval")
    throw new Refused(
      `${idInWords(request.id)} is an approval: only a person can give it`,
      "Wait with await_tasks, or do something else",
    );
  await host.core.messages.send(task, contentFor(request, message), { inReplyTo: requestId });
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
