// Questions: what tasks ask and nobody has answered, as a tool tells it.

import type { Task } from "../../core/live/task.js";
import type { InboxRequest } from "../../core/task/request.js";
import { advice } from "../prompt/tool-names.js";
import { visible, visibleText } from "../prompt/visible.js";
import type { Host } from "./caller.js";
import { bytesOf, cut, present, type Result } from "./fit-to-bytes.js";
import { idOf } from "./task-summary.js";

const MOST = 8;
const LEAST_ROOM = 160;
const BY_MODEL = "message_task with in_reply_to";
const BY_OTHERS = "others answer it";
/** A5. */
const BY_PERSON = "only a person, elsewhere";

/** Open ones of these tasks and of those below them, oldest first; as many as there is room for. */
export function questionsOf(host: Host, tasks: readonly Task[]): (room: number) => Result {
  const among = new Set(tasks);
  const { requests, registry } = host.core;
  const open = requests.list().filter(({ taskId }) => {
    const asker = registry.byId(taskId);
    return asker !== undefined && host.owns(asker) && isBelow(asker, among);
  });
  if (open.length === 0) return () => ({});
  const approvals = open.filter(({ kind }) => kind === "approval").length;
  const byModel = advice(host.tools, BY_MODEL, BY_OTHERS);
  const words = approvals === 0 || byModel === BY_OTHERS ? byModel : `${byModel}; an approval ${BY_PERSON}`;
  return (room) => {
    const shown = open.slice(0, Math.min(MOST, Math.floor(room / LEAST_ROOM)));
    const more = open.length - shown.length;
    return present({
      questions: shown.length === 0 ? undefined : shown.map((request) => questionOf(request, room / shown.length)),
      more_questions: more === 0 ? undefined : more,
      answer_with: approvals === open.length ? BY_PERSON : words,
    });
  };
}

function isBelow(asker: Task, among: ReadonlySet<Task>): boolean {
  for (let task: Task | undefined = asker; task !== undefined; task = task.parent) if (among.has(task)) return true;
  return false;
}

function questionOf(request: InboxRequest, room: number): Result {
  const { id, taskId, kind, question, choices, jsonSchema, details } = request;
  const schema = jsonSchema === undefined ? undefined : visibleText(jsonSchema);
  const said = details === undefined ? undefined : visibleText(details);
  return present({
    request_id: idOf({ id }),
    task_id: idOf({ id: taskId }),
    approval: kind === "approval" ? true : undefined,
    question: cut(question, room),
    choices: choices === undefined ? undefined : choicesOf(choices, room),
    answer_schema: schema === undefined ? undefined : cut(schema, room),
    details: said === undefined ? undefined : cut(said, room / 2),
  });
}

/** The choices that fit: an answer must be one of them as it is shown, so none is cut. */
function choicesOf(choices: readonly string[], room: number): readonly string[] | undefined {
  const shown: string[] = [];
  let left = room;
  for (const choice of choices.map(visible)) {
    left -= bytesOf(choice) + 1;
    if (left < 0) break;
    shown.push(choice);
  }
  return shown.length === 0 ? undefined : shown;
}
