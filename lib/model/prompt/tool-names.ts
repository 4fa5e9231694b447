// Tool names: the six, in the order in which a client gets them, and which of them a text may name.
//
// §9: a text names only tools that were given out with it. A model that is sent to a tool which it lacks wastes a turn.

export const TOOL_NAMES = [
  "spawn_task",
  "list_tasks",
  "get_task",
  "await_tasks",
  "message_task",
  "cancel_task",
] as const;
export type TaskToolName = (typeof TOOL_NAMES)[number];

export type ToolSet = ReadonlySet<TaskToolName>;

/** The first text that names no tool which was not given out; empty when each of them does. */
export function advice(tools: ToolSet, ...texts: readonly string[]): string {
  return texts.find((text) => TOOL_NAMES.every((name) => tools.has(name) || !text.includes(name))) ?? "";
}
