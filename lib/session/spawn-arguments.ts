// Spawn arguments: the options of `spawn` and `ctx.map`, as a caller gives them.
//
// Owns types alone. `session.ts` has the calls.

import type { AnySpawnOptions } from "../core/spawn/spawn-options.js";
import type { WaitOptions } from "../core/waits/waits.js";
import type { TaskRef } from "./task-handle.js";

/**
 * The options of `spawn`. `parent` is a task id, the name of a living task, or a handle.
 *
 * @example
 * ```ts
 * import { TaskManager } from "errand";
 *
 * const manager = new TaskManager();
 * const report = manager.spawn(() => "12 pages", {
 *   id: "report-7", // the same id is the same task
 *   title: "Write the report",
 *   timeoutMs: 30_000,
 *   retry: { maxAttempts: 3 },
 *   budget: { tokens: 50_000 },
 *   tags: ["reports"],
 * });
 * console.log(await report.result(), manager.list({ tags: ["reports"] }).length); // 12 pages 1
 * ```
 */
export type SpawnOptions = AnySpawnOptions<TaskRef>;

/** The part of the spawn options that holds the input of a kind. */
export interface SpawnInput<I> {
  /** The input of the kind, as JSON can carry it. The schema of the kind checks it. */
  input: I;
}

/** The options argument of a kind. The kind may be started without it when its input may be `undefined`. */
export type SpawnArguments<I> = undefined extends I
  ? [
      options?: SpawnOptions & {
        /** The input of the kind, as JSON can carry it. */
        input?: I | undefined;
      },
    ]
  : [options: SpawnOptions & SpawnInput<I>];

/** The options of `ctx.map`. */
export interface MapOptions extends WaitOptions {
  /** How many children may live at a time: an integer ≥ 1, or `Infinity`. Required. */
  concurrency: number;
}
