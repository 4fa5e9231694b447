// Address: which task a model means by the text that it gives: an id, the name of a task of its session, or an id as it was shown (§9, §12).
//
// An id comes first, then the name of a living task, then that of the newest task that had it. A model reads an id without what nobody sees of
// it, and shortened, so it can give back no more than that. Where two ids are shown alike, neither is guessed. What the model may not see is
// unknown to it.

import type { Task } from "../../core/task.js";
import { quoted } from "../escaped.js";
import { idOf as idInWords, shownId } from "../standing.js";
import { type Host, tasksOf } from "./host.js";
import { advice } from "./names.js";
import { Refused } from "./refusals.js";
import { idOf, nameOf } from "./task-facts.js";

/** For the description of a field. */
export const ADDRESS = "A task_id, or a task's name";

export function taskOf(host: Host, address: string): Task {
  const found = taskAt(host, address) ?? taskAt(host, unquoted(address));
  if (found !== undefined) return found;
  throw unknownTask(host, address);
}

function taskAt(host: Host, address: string): Task | undefined {
  const { core, owner, owns } = host;
  // N1: what a notice refers to can be read until the next batch, also when its record is evicted.
  const byId = core.registry.byId(address) ?? core.notices.lastBatchOf(owner)?.tasks.get(address);
  if (byId !== undefined && owns(byId)) return byId;
  const sessionId = typeof owner === "string" ? owner : owner.sessionId;
  const byName = core.registry.byName(sessionId, address);
  if (byName !== undefined && owns(byName)) return byName;
  return shownAs(host, address);
}

/** Those that are over keep their names until another has them; an id may be shown otherwise than it is. */
function shownAs(host: Host, address: string): Task | undefined {
  const byId: Task[] = [];
  let byName: Task | undefined;
  for (const task of tasksOf(host)) {
    if (idOf(task) === address || shownId(task.id) === address) byId.push(task);
    const isNamed = task.traits.name === address || nameOf(task) === address;
    if (isNamed && (byName === undefined || byName.isOver || !task.isOver)) byName = task;
  }
  const [task, ...others] = byId;
  if (task === undefined || others.length === 0) return task ?? byName;
  throw new Refused(
    `${byId.length} tasks have ids that are shown as ${quoted(address, MOST_SHOWN)}`,
    advice(host.tools, "Use the name of one: list_tasks shows those that have a name", "Use the name of one"),
  );
}

function unquoted(address: string): string {
  return /^".+"$/s.test(address) ? address.slice(1, -1) : address;
}

function unknownTask(host: Host, address: string): Refused {
  const none = `There is no task ${quoted(address, MOST_SHOWN)}`;
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
