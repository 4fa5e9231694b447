// Address: which task a model means by the text that it gives: an id, the name of a task of its session, or an id as it was shown (§9, §12).
//
// An id comes first, then the name of a living task, then that of the newest task that had it. A model reads an id without what nobody sees of
// it, and shortened, so it can give back no more than that. Where two ids are shown alike, neither is guessed. What the model may not see is
// unknown to it.

import type { Task } from "../../core/live/task.js";
import { quoted } from "../prompt/escape.js";
import { idOf as idInWords, shownId } from "../prompt/task-line.js";
import { advice } from "../prompt/tool-names.js";
import { type Host, tasksOf } from "./caller.js";
import { Refused } from "./refusals.js";
import { idOf, nameOf } from "./task-summary.js";
import { type Field, text } from "./tool-schema.js";

/** Longer than any address that is shown. */
export const LONGEST_ADDRESS = 1_000;

/** The field of a tool. */
export function address(): Field<string> {
  return text(LONGEST_ADDRESS, "A task_id, or a task's name");
}

export function taskOf(host: Host, given: string): Task {
  const found = taskAt(host, given) ?? taskAt(host, unquoted(given));
  if (found !== undefined) return found;
  throw unknownTask(host, given);
}

function taskAt(host: Host, given: string): Task | undefined {
  const { core, owner, owns } = host;
  // N1: what a notice refers to can be read until the next batch, also when its record is evicted.
  const byId = core.registry.byId(given) ?? core.notices.lastBatchOf(owner)?.tasks.get(given);
  if (byId !== undefined && owns(byId)) return byId;
  const sessionId = typeof owner === "string" ? owner : owner.sessionId;
  const byName = core.registry.byName(sessionId, given);
  if (byName !== undefined && owns(byName)) return byName;
  return shownAs(host, given);
}

/** Tasks that are over keep their names until another has them; an id may be shown otherwise than it is. */
function shownAs(host: Host, given: string): Task | undefined {
  const byId: Task[] = [];
  let byName: Task | undefined;
  for (const task of tasksOf(host)) {
    if (idOf(task) === given || shownId(task.id) === given) byId.push(task);
    const isNamed = task.traits.name === given || nameOf(task) === given;
    if (isNamed && (byName === undefined || byName.isOver || !task.isOver)) byName = task;
  }
  const [task, ...others] = byId;
  if (task === undefined || others.length === 0) return task ?? byName;
  throw new Refused(
    `${byId.length} tasks have ids that are shown as ${quoted(given, MOST_SHOWN)}`,
    advice(host.tools, "Use the name of one: list_tasks shows those that have a name", "Use the name of one"),
  );
}

function unquoted(given: string): string {
  return /^".+"$/s.test(given) ? given.slice(1, -1) : given;
}

function unknownTask(host: Host, given: string): Refused {
  const none = `There is no task ${quoted(given, MOST_SHOWN)}`;
  const known = [...tasksOf(host)];
  if (known.length === 0)
    return new Refused(none, advice(host.tools, "You have no tasks: spawn_task starts one", "You have no tasks"));
  // The newest are the likeliest to be meant.
  const named = known.slice(-MOST_NAMED).map(inWords).join(", ");
  const more = known.length > MOST_NAMED ? `, and ${known.length - MOST_NAMED} older` : "";
  const there = `There are ${named}${more}`;
  return new Refused(`${none}, or not any more`, advice(host.tools, `${there}: list_tasks shows them`, there));
}
const MOST_NAMED = 5;
const MOST_SHOWN = 60;

function inWords({ id, traits: { name } }: Task): string {
  return name === undefined ? idInWords(id) : `${idInWords(id)} ${quoted(name, MOST_SHOWN)}`;
}
