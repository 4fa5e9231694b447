// Tool names: the names of the six tools, in the order of every list of tools, and the choice of a text by them.
//
// A text for a model names only tools that this model has: a model that looks for a missing tool wastes a turn (§9).

/** The names of all tools, in the order in which `tools()` returns them. */
export const TOOL_NAMES = [
  "spawn_task",
  "list_tasks",
  "get_task",
  "await_tasks",
  "message_task",
  "cancel_task",
] as const;
/** The name of one of the six tools that `tools()` returns. */
export type TaskToolName = (typeof TOOL_NAMES)[number];

/** The tools that one model has. */
export type ToolSet = ReadonlySet<TaskToolName>;

/** The first text that names no tool outside `tools`; `""` when every text names one. */
export function advice(tools: ToolSet, ...texts: readonly string[]): string {
  return texts.find((text) => TOOL_NAMES.every((name) => tools.has(name) || !text.includes(name))) ?? "";
}
