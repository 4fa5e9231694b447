// Open questions: the unanswered questions of tasks, as fields of a tool result.
//
// The fields say who answers: the model, a person, or others (A5).

import type { Task } from "../../core/live/task.js";
import type { InboxRequest } from "../../core/task/request.js";
import { advice } from "../prompt/tool-names.js";
import { visible, visibleText } from "../prompt/visible.js";
import type { Caller } from "./caller.js";
import { bytesOf, cut, definedFields, type Result } from "./fit-to-bytes.js";
import { idOf } from "./task-summary.js";

const MOST = 8;
const BYTES_OF_QUESTION = 160;
const BY_MODEL = "message_task with in_reply_to";
const BY_OTHERS = "others answer it";
/** The answer to an approval (A5). */
const BY_PERSON = "only a person, elsewhere";

/** The open questions of `tasks` and of the tasks below them, oldest first; as many as fit. */
export function questionsOf(caller: Caller, tasks: readonly Task[]): (bytes: number) => Result {
  const open = [...caller.core.requests.openedBelow(new Set(tasks))]
    .filter(({ task }) => caller.owns(task))
    .map(({ request }) => request);
  if (open.length === 0) return () => ({});
  const approvals = open.filter(({ kind }) => kind === "approval").length;
  const byModel = advice(caller.tools, BY_MODEL, BY_OTHERS);
  const answerWith = approvals === 0 || byModel === BY_OTHERS ? byModel : `${byModel}; an approval ${BY_PERSON}`;
  return (bytes) => {
    const shown = open.slice(0, Math.min(MOST, Math.floor(bytes / BYTES_OF_QUESTION)));
    const more = open.length - shown.length;
    return definedFields({
      questions: shown.length === 0 ? undefined : shown.map((request) => questionOf(request, bytes / shown.length)),
      more_questions: more === 0 ? undefined : more,
      answer_with: approvals === open.length ? BY_PERSON : answerWith,
    });
  };
}

function questionOf(request: InboxRequest, bytes: number): Result {
  const { id, taskId, kind, question, choices, jsonSchema, details } = request;
  const schema = jsonSchema === undefined ? undefined : visibleText(jsonSchema);
  const said = details === undefined ? undefined : visibleText(details);
  const fitting = choices === undefined ? undefined : choicesOf(choices, bytes);
  const more = (choices?.length ?? 0) - (fitting?.length ?? 0);
  return definedFields({
    request_id: idOf({ id }),
    task_id: idOf({ id: taskId }),
    approval: kind === "approval" ? true : undefined,
    question: cut(question, bytes),
    choices: fitting,
    more_choices: more === 0 ? undefined : more,
    answer_schema: schema === undefined ? undefined : cut(schema, bytes),
    details: said === undefined ? undefined : cut(said, bytes / 2),
  });
}

/** The choices that fit. No choice is cut, because an answer must be a choice as it is shown. */
function choicesOf(choices: readonly string[], bytes: number): readonly string[] | undefined {
  const shown: string[] = [];
  let left = bytes;
  for (const choice of choices.map(visible)) {
    left -= bytesOf(choice) + 1;
    if (left < 0) break;
    shown.push(choice);
  }
  return shown.length === 0 ? undefined : shown;
}
