// Address: finds the task that a model means by an id, by the name of a task of its session, or by an id as it was
// shown.
//
// An address is an id, or the name of a living task, or the newest task that had the name. A model reads both shortened
// and without invisible characters, so it can return only that form. An address that fits two living tasks, or two ids,
// is refused and never guessed. A task that the model may not see is unknown to it (§9, §12).

import type { Task } from "../../core/live/task.js";
import { boundedList } from "../../core/values/bounded-list.js";
import { quoted } from "../prompt/escape.js";
import { idInText, shownId } from "../prompt/task-line.js";
import { advice } from "../prompt/tool-names.js";
import type { Caller } from "./caller.js";
import { ToolRefusal } from "./refusals.js";
import { idOf, nameOf } from "./task-summary.js";
import { type Field, text } from "./tool-schema.js";

/** The most characters of an address. No address is shown longer. */
export const LONGEST_ADDRESS = 1_000;

/** The field of a tool that takes the address of one task. */
export function address(): Field<string> {
  return text(LONGEST_ADDRESS, "A task_id, or a task's name");
}

/** The task at the address `given`. Throws `ToolRefusal` when there is none, or when several tasks match. */
export function taskOf(caller: Caller, given: string): Task {
  const found = taskAt(caller, given) ?? taskAt(caller, unquoted(given));
  if (found !== undefined) return found;
  throw unknownTask(caller, given);
}

function taskAt(caller: Caller, given: string): Task | undefined {
  const { core, owner, owns } = caller;
  // A task of the last batch can be read until the next batch, also when its record was evicted (N1).
  const byId = core.registry.byId(given) ?? core.notices.lastBatchOf(owner)?.tasks.get(given);
  const sessionId = typeof owner === "string" ? owner : owner.sessionId;
  const byName = core.registry.byName(sessionId, given);
  const exact = new Set<Task>();
  for (const task of [byId, byName]) if (task !== undefined && owns(task)) exact.add(task);
  return theOnly(caller, given, exact) ?? shownAs(caller, given);
}

/** Finds a task by its shown id or its name. A task that is over keeps its name until another task has it. */
function shownAs(caller: Caller, given: string): Task | undefined {
  const found = new Set<Task>();
  let lastNamed: Task | undefined;
  for (const task of caller.tasks()) {
    if (idOf(task) === given || shownId(task.id) === given) found.add(task);
    if (task.traits.name !== given && nameOf(task) !== given) continue;
    lastNamed = task;
    if (!task.isOver) found.add(task);
  }
  return theOnly(caller, given, found) ?? lastNamed;
}

/** The one task that was found. Throws `ToolRefusal` for several: an address is never guessed. */
function theOnly(caller: Caller, given: string, found: ReadonlySet<Task>): Task | undefined {
  const [task] = found;
  if (found.size < 2) return task;
  const ids = boundedList(Array.from(found, describe), ", ", MOST_NAMED);
  throw new ToolRefusal(
    `${found.size} tasks have an id or a name that is shown as ${quoted(given, MOST_SHOWN)}: ${ids}`,
    advice(
      caller.tools,
      "Use the id or the name that only one has: list_tasks shows both",
      "Use the one that only one has",
    ),
  );
}

function unquoted(given: string): string {
  return /^".+"$/s.test(given) ? given.slice(1, -1) : given;
}

function unknownTask(caller: Caller, given: string): ToolRefusal {
  const none = `There is no task ${quoted(given, MOST_SHOWN)}`;
  const known = [...caller.tasks()];
  if (known.length === 0)
    return new ToolRefusal(none, advice(caller.tools, "You have no tasks: spawn_task starts one", "You have no tasks"));
  // The model most likely means one of the newest tasks.
  const named = known.slice(-MOST_NAMED).map(describe).join(", ");
  const more = known.length > MOST_NAMED ? `, and ${known.length - MOST_NAMED} older` : "";
  const there = `There are ${named}${more}`;
  return new ToolRefusal(
    `${none}, or its record is gone`,
    advice(caller.tools, `${there}: list_tasks shows them`, there),
  );
}
const MOST_NAMED = 5;
const MOST_SHOWN = 60;

/** The id and the name of a task, as an address that a model can use. */
function describe({ id, traits: { name } }: Task): string {
  return name === undefined ? idInText(id) : `${idInText(id)} ${quoted(name, MOST_SHOWN)}`;
}
