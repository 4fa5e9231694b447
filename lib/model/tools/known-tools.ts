// Known tools: the tools that the model of a loop has, for the text of its notices.
//
// Owns the tools of each loop for which `only` left some out. Every other loop may have all six. When one loop has
// several sets of tools, the tools of all sets count (§9).

import type { Core } from "../../core/core.js";
import type { Task } from "../../core/live/task.js";
import type { NoticeOwner } from "../../core/notices/notice-owner.js";
import { TOOL_NAMES, type ToolSet } from "../prompt/tool-names.js";

const ALL: ToolSet = new Set(TOOL_NAMES);
const toolsByLoop = new WeakMap<Core | Task, Map<string, ToolSet>>();

/** Records that the model of the loop of `owner` has `tools`, besides those of earlier calls. */
export function addKnownTools(core: Core, owner: NoticeOwner, tools: ToolSet): void {
  const [place, name] = placeOf(core, owner);
  const known = toolsByLoop.get(place) ?? new Map<string, ToolSet>();
  const all = new Set([...(known.get(name) ?? []), ...tools]);
  if (all.size === ALL.size) known.delete(name);
  else known.set(name, all);
  toolsByLoop.set(place, known);
}

/** The tools that the model of the loop of `owner` has; all six when none were recorded. */
export function knownTools(core: Core, owner: NoticeOwner): ToolSet {
  const [place, name] = placeOf(core, owner);
  return toolsByLoop.get(place)?.get(name) ?? ALL;
}

/** The key of a loop. The entry of a task is kept as long as the task, that of a session as long as its manager. */
function placeOf(core: Core, owner: NoticeOwner): readonly [place: Core | Task, name: string] {
  return typeof owner === "string" ? [core, owner] : [owner, ""];
}
