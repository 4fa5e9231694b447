// Given tools: which tools the model of a loop has, for texts that no tool gives: those of its notices.
//
// §9: a text names only tools that were given out. Kept where `only` left some out: a loop of which nothing is known may have all six. Of
// several sets that one loop was given, all count.

import type { Core } from "../../core/core.js";
import type { Task } from "../../core/live/task.js";
import type { NoticeOwner } from "../../core/notices/notice-owner.js";
import { TOOL_NAMES, type ToolSet } from "../prompt/tool-names.js";

const ALL: ToolSet = new Set(TOOL_NAMES);
const given = new WeakMap<Core | Task, Map<string, ToolSet>>();

export function giveTools(core: Core, owner: NoticeOwner, tools: ToolSet): void {
  const [place, name] = placeOf(core, owner);
  const known = given.get(place) ?? new Map<string, ToolSet>();
  const all = new Set([...(known.get(name) ?? []), ...tools]);
  if (all.size === ALL.size) known.delete(name);
  else known.set(name, all);
  given.set(place, known);
}

export function toolsGiven(core: Core, owner: NoticeOwner): ToolSet {
  const [place, name] = placeOf(core, owner);
  return given.get(place)?.get(name) ?? ALL;
}

/** The memory of a task goes with the task, that of a named session with its manager. */
function placeOf(core: Core, owner: NoticeOwner): readonly [place: Core | Task, name: string] {
  return typeof owner === "string" ? [core, owner] : [owner, ""];
}
