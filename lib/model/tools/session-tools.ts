// Tools: the six tools by which a model has work done in the background (§9).
//
// Puts them together as options say. Each is a file of `tools/`; what is the same for all of them is in `tools/tool.ts`.

import type { Core } from "../../core/core.js";
import type { AnyTaskKind } from "../../core/kinds/kind.js";
import { takeWeight } from "../../core/lanes/weight.js";
import { takeBudget } from "../../core/spawn/budget.js";
import type { SpawnOptions } from "../../core/spawn/spawn-options.js";
import type { KindParts } from "../../core/task/kind-parts.js";
import { takeRetry } from "../../core/task/retry.js";
import { checkCount, checkOneOf, checkOptions, checkType, show } from "../../core/values/checks.js";
import { type TaskToolName, TOOL_NAMES } from "../prompt/tool-names.js";
import { awaitTasks } from "./await-tasks.js";
import { hostFor, type Loop } from "./caller.js";
import { cancelTask } from "./cancel-task.js";
import { getTask } from "./get-task.js";
import { giveTools } from "./known-tools.js";
import { listTasks } from "./list-tasks.js";
import { messageTask } from "./message-task.js";
import { spawnTask } from "./spawn-task.js";
import type { Setting, TaskTool } from "./tool.js";

export interface ToolOptions {
  /**
   * Which kinds a model may start and see; default all that the manager has, and tasks of plain functions. To a model that is given some kinds, a
   * task of another kind is unknown: it is not listed, counted, read, waited for, messaged or cancelled, unless it is below a task that is
   * cancelled. With none there is no `spawn_task`. `UnknownKindError`: the manager has none of that name.
   */
  kinds?: readonly (string | AnyTaskKind)[] | undefined;
  /**
   * Which tools; default all six. They come in one order, whatever the order here, so that a prompt stays the same. Their descriptions and
   * results name no other tool.
   */
  only?: readonly TaskToolName[] | undefined;
  /** Options of every task that `spawn_task` starts, besides those that the model gives: `wake` (default `onActivity`: its questions wake the loop too), a budget, limits, a lane. */
  spawn?: ToolSpawnOptions | undefined;
  /** Bytes of one result, as JSON in UTF-8: an integer ≥ 512, default 2 048. A longer one is cut and says how to read on. */
  maxResultBytes?: number | undefined;
}

/** What the model, and its call, do not say themselves. */
export type ToolSpawnOptions = Omit<SpawnOptions, "id" | "name" | "title" | "callId" | "parent" | "root" | "signal">;

const SPAWN_OPTIONS = [
  ...(["agent", "createdBy", "lane", "laneKey", "priority", "wake", "children", "detached", "runId"] as const),
  ...(["timeoutMs", "totalTimeoutMs", "stallTimeoutMs", "elapsedTimeoutMs"] as const),
  ...(["graceMs", "retry", "budget", "weight", "tags", "metadata"] as const),
] satisfies readonly (keyof ToolSpawnOptions)[];
const DEFAULT_BYTES = 2_048;
/** Ids, a status and what to do next always fit. */
const LEAST_BYTES = 512;

/** `loopOf` is asked at each call: inside a task of a named session the loop is that task's. */
export function sessionTools(loopOf: () => Loop, options: ToolOptions = {}): readonly TaskTool[] {
  checkOptions("tools", options, "kinds", "only", "spawn", "maxResultBytes");
  const { only = TOOL_NAMES, spawn = {}, maxResultBytes = DEFAULT_BYTES } = options;
  checkOptions("tools.spawn", spawn, ...SPAWN_OPTIONS);
  // What is wrong with them is the program's affair, and not the model's.
  checkOneOf("spawn.wake", spawn.wake, ["silent", "onTerminal", "onActivity"]);
  takeBudget(spawn.budget);
  takeRetry(spawn.retry);
  takeWeight(spawn.weight);
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
  giveTools(core, owner, tools);
  const offered = options.kinds === undefined ? undefined : new Set(kinds.map(({ name }) => name));
  const setting = { hostOf: () => hostFor(loopOf(), tools, offered), tools, maxBytes: maxResultBytes };
  return Object.freeze(named.map((name) => toolNamed(name, setting, { kinds, spawn })));
}

interface Starting {
  readonly kinds: readonly KindParts[];
  readonly spawn: ToolSpawnOptions;
}

function toolNamed(name: TaskToolName, setting: Setting, { kinds, spawn }: Starting): TaskTool {
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
