// Known tools: the tools that the model of a loop has, for the text of its notices.
//
// Owns the tools of each loop, as long as its task or the account of its session is kept: a session that is forgotten
// costs nothing (D6). A loop without an entry may have all six. When one loop has several sets of tools, the tools of
// all sets count (§9).

import type { Core } from "../../core/core.js";
import type { NoticeOwner } from "../../core/notices/notice-owner.js";
import { TOOL_NAMES, type ToolSet } from "../prompt/tool-names.js";

const ALL: ToolSet = new Set(TOOL_NAMES);
/** The keys are tasks, and accounts of sessions. */
const toolsByLoop = new WeakMap<object, ToolSet>();

/** Records that the model of the loop of `owner` has `tools`, besides those of earlier calls. */
export function addKnownTools({ sessions }: Core, owner: NoticeOwner, tools: ToolSet): void {
  const loop = typeof owner === "string" ? sessions.use(owner) : owner;
  const all = new Set([...(toolsByLoop.get(loop) ?? []), ...tools]);
  toolsByLoop.set(loop, all.size === ALL.size ? ALL : all);
}

/** The tools that the model of the loop of `owner` has; all six when none were recorded. */
export function knownTools({ sessions }: Core, owner: NoticeOwner): ToolSet {
  const loop = typeof owner === "string" ? sessions.find(owner) : owner;
  return (loop === undefined ? undefined : toolsByLoop.get(loop)) ?? ALL;
}
