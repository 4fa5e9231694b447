// Kept shapes: one object of each sort that a task needs, kept for good.
//
// The engine drops the shape of objects with the last of them in a full collection, and with it all machine code that
// was compiled for it. Without these objects, the first ten thousand tasks after such a collection cost three times as
// much: a process that makes one manager for each job, or that was idle, meets that each time. The objects are made by
// their constructors alone, in a manager of their own that runs nothing: no listener, list or statistic shows them.
// They are made once, when a manager with many tasks comes to rest, so a short program pays nothing. Called by the
// manager.

import type { Core } from "../core/core.js";
import { AttemptOf, RunOf } from "../core/live/run.js";
import { Task } from "../core/live/task.js";
import { watch } from "../core/live/watchers.js";
import { OutcomeClaims } from "../core/notices/outcome-claims.js";
import { EndWait } from "../core/outcomes/await-one.js";
import { Group } from "../core/outcomes/await-tasks.js";
import { DEFAULT_LANE, NO_PLACE } from "../core/spawn/spawn.js";
import type { Command } from "../core/task/commands.js";
import { decide, isRefusal } from "../core/task/decide.js";
import { evolve } from "../core/task/evolve.js";
import { returned } from "../core/task/settled.js";
import { NO_DETAILS, NO_TRAITS, newState } from "../core/task/state.js";
import { toEvent } from "../core/task/to-event.js";
import { NumberedIds } from "../core/values/ids.js";
import { ArrangedWait } from "../core/waits/pending-wait.js";
import { Context } from "./context.js";
import { Handle } from "./handle.js";
import { Scope } from "./scope.js";

/** The number of tasks from which on the compiled code is worth keeping. */
const MANY = 1_000;

let kept: readonly object[] | undefined;

/**
 * Keeps one object of each sort, if the manager of `core` has had many tasks. `newManager` makes a manager that runs
 * nothing, to which the kept objects belong. A second call has no effect.
 */
export function keepShapes(core: Core, newManager: () => Scope): void {
  if (kept === undefined && core.registry.newest >= MANY) kept = exemplars(newManager());
}

const work = () => undefined;

function exemplars(manager: Scope): readonly object[] {
  const core = Scope.coreBehind(manager);
  const ids = new NumberedIds();
  const { loop, registry, spawner, runner, waits, notices } = core;
  const made: object[] = [];
  const lane = spawner.laneOf(DEFAULT_LANE);
  const newTask = () => {
    const task = new Task(ids, registry.nextNumber(), NO_PLACE, lane, 0, NO_TRAITS, newState(NO_DETAILS));
    task.run = new RunOf<Task>(task, work, runner);
    registry.add(task);
    return task;
  };
  const follow = (task: Task, command: Command) => {
    const facts = decide(task.state, command);
    if (isRefusal(facts)) return;
    for (const fact of facts) {
      task.state = evolve(task.state, fact, 0);
      made.push(fact, toEvent(fact, task, 1, 0));
    }
    made.push(command, facts);
  };
  loop.listeners.on("task.started", work, 0);
  const [queued, running, ended] = [newTask(), newTask(), newTask()];
  for (const task of [running, ended]) {
    follow(task, { type: "start", runtime: core.runtime });
    if (task.run !== undefined) task.run.attempt = new AttemptOf<Task>(task.run, 1, false, waits);
  }
  follow(ended, {
    type: "settle",
    attempt: 1,
    settled: returned(undefined),
    living: [],
    limitMs: undefined,
  });
  const { attempt } = running;
  if (attempt !== undefined) made.push(new Context(core, attempt));
  ended.run = undefined;

  const receiver = { attempt: undefined, sessionOf: () => undefined, noticesOf: () => notices };
  const group = new Group([queued, running], [queued, running], "all", undefined);
  watch(queued, group);
  made.push(group, group.result("timeout"), new OutcomeClaims(receiver, [ended]));
  made.push(
    new ArrangedWait(
      waits,
      undefined,
      () => group.describe(),
      () => work,
    ),
  );
  const query = { read: work, signal: undefined, sessionId: undefined };
  made.push(new EndWait(waits, notices, undefined, running, query));
  for (const task of [queued, running, ended]) made.push(new Handle(core, task, undefined), task.record);
  return [manager, ...made];
}
