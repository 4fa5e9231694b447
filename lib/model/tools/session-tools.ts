// Session tools: the six tools that let a model run work in the background (§9).
//
// Checks the options and makes the chosen tools. Each tool has a file of its own, and `tool.ts` has their common part.

import type { Core } from "../../core/core.js";
import type { AnyTaskKind } from "../../core/kinds/kind.js";
import { takeToolSpawnOptions } from "../../core/spawn/option-table.js";
import type { AnySpawnOptions } from "../../core/spawn/spawn-options.js";
import type { KindParts } from "../../core/task/kind-parts.js";
import { checkCount, checkOneOf, checkOptions, checkType, show } from "../../core/values/checks.js";
import { type TaskToolName, TOOL_NAMES } from "../prompt/tool-names.js";
import { awaitTasks } from "./await-tasks.js";
import { type CallingLoop, callerFor } from "./caller.js";
import { cancelTask } from "./cancel-task.js";
import { getTask } from "./get-task.js";
import { addKnownTools } from "./known-tools.js";
import { listTasks } from "./list-tasks.js";
import { messageTask } from "./message-task.js";
import { spawnTask } from "./spawn-task.js";
import type { Setting, TaskTool } from "./tool.js";

/** The options of `tools()`. */
export interface ToolOptions {
  /**
   * The kinds that the model may start and see. Default: all kinds of the manager, and tasks of plain functions. With
   * this option a task of another kind is unknown to the model: the tools do not list, count, read, await, message or
   * cancel it. A cancel of a task above it still stops it. An empty list leaves `spawn_task` out. `UnknownKindError`:
   * the manager has no kind of that name.
   */
  kinds?: readonly (string | AnyTaskKind)[] | undefined;
  /**
   * The names of the tools to make; default all six. The order of the tools is always the same, so that a prompt stays
   * the same. Their descriptions and results name no other tool.
   */
  only?: readonly TaskToolName[] | undefined;
  /**
   * Spawn options of every task that `spawn_task` starts, such as a budget, limits or a lane. `wake` is `onActivity` by
   * default here: messages, questions and custom events of the task wake the loop too.
   */
  spawn?: ToolSpawnOptions | undefined;
  /**
   * The most bytes of one result, as JSON in UTF-8: an integer ≥ 512, default 2 048. A longer result is cut and says
   * how to read on.
   */
  maxResultBytes?: number | undefined;
}

/** The spawn options that a program may set for `spawn_task`: all those that the model or its call does not set. */
export type ToolSpawnOptions = Omit<AnySpawnOptions, "id" | "name" | "title" | "callId" | "parent" | "root" | "signal">;

const DEFAULT_BYTES = 2_048;
/** The smallest limit: ids, a status and the next step fit in it. */
const LEAST_BYTES = 512;

/** Makes the tools. Each call of a tool asks `loopOf`: inside a task of a named session it is the loop of that task. */
export function sessionTools(loopOf: () => CallingLoop, options: ToolOptions = {}): readonly TaskTool[] {
  checkOptions("tools", options, "kinds", "only", "spawn", "maxResultBytes");
  const { only = TOOL_NAMES, spawn = {}, maxResultBytes = DEFAULT_BYTES } = options;
  // Bad options are an error of the program, so they throw here and not in a tool call.
  const defaults = takeToolSpawnOptions(spawn);
  checkCount("maxResultBytes", maxResultBytes, LEAST_BYTES);
  if (!Array.isArray(only)) throw new TypeError(`only must be a list of tools, got ${show(only)}`);
  for (const [index, name] of only.entries()) {
    checkType(`only[${index}]`, name, "string");
    checkOneOf(`only[${index}]`, name, TOOL_NAMES);
  }
  const { core, owner } = loopOf();
  const kinds = kindsOf(core, options.kinds);
  const named = TOOL_NAMES.filter((name) => only.includes(name) && (name !== "spawn_task" || kinds.length > 0));
  const tools = new Set(named);
  const offered = options.kinds === undefined ? undefined : new Set(kinds.map(({ name }) => name));
  const know = () => addKnownTools(core, owner, tools);
  know();
  const callerOf = () => {
    // The session may have been forgotten since.
    know();
    return callerFor(loopOf(), tools, offered);
  };
  const setting = { callerOf, tools, maxBytes: maxResultBytes };
  return Object.freeze(named.map((name) => toolNamed(name, setting, { kinds, spawn: defaults })));
}

/** The parts of `spawn_task`. */
interface SpawnParts {
  readonly kinds: readonly KindParts[];
  readonly spawn: ToolSpawnOptions;
}

function toolNamed(name: TaskToolName, setting: Setting, { kinds, spawn }: SpawnParts): TaskTool {
  switch (name) {
    case "spawn_task":
      return spawnTask(kinds, spawn, setting);
    case "list_tasks":
      return listTasks(setting);
    case "get_task":
      return getTask(setting);
    case "await_tasks":
      return awaitTasks(setting);
    case "message_task":
      return messageTask(setting);
    case "cancel_task":
      return cancelTask(setting);
    default:
      return name satisfies never;
  }
}

function kindsOf({ kinds }: Core, asked: ToolOptions["kinds"]): readonly KindParts[] {
  if (asked === undefined) return kinds.all;
  if (!Array.isArray(asked)) throw new TypeError(`kinds must be a list of kinds and their names, got ${show(asked)}`);
  const names = asked.map((kind: unknown, index) => {
    const name = typeof kind === "object" && kind !== null && "name" in kind ? kind.name : kind;
    if (typeof name === "string") return name;
    throw new TypeError(`kinds[${index}] must be a kind or its name, got ${show(kind)}`);
  });
  return [...new Set(names)].map((name) => kinds.named(name));
}
