// Sweep laws: what holds at every step of a run, whenever it pauses for time, and once it is over.
//
// Each breach is said in one line that begins with the rule. What the events of a run say is in sweep-history.ts.

import { inspect } from "node:util";
import type { TaskManager } from "errand";
import type { Task } from "../../lib/core/live/task.js";
import { watchersOf } from "../../lib/core/live/watchers.js";
import { isTerminal } from "../support/program.js";
import { breachesOfGiven } from "./sweep-given.js";
import { breachesOfHistory, isMistake } from "./sweep-history.js";
import type { Probe } from "./sweep-probe.js";
import type { Managed, Stage } from "./sweep-stage.js";

/** At every delivery, of the tasks as they are decided. */
export function atStep({ tasks, runs }: Probe): readonly string[] {
  const breaches: string[] = [];
  const held = new Map<Task["lane"], number>();
  for (const task of tasks) {
    const { id, lane, parent, isOver, state } = task;
    const holdsSlot = runs.get(task)?.holdsSlot === true;
    held.set(lane, (held.get(lane) ?? 0) + (holdsSlot ? 1 : 0));
    if (parent?.isOver && task.isAttached && !isOver) breaches.push(`H1: ${parent.id} is over, its child ${id} lives`);
    if (state.status === "running" && !holdsSlot) breaches.push(`L1: ${id} runs without a slot`);
    if (state.status === "running" && task.attempt?.isWaiting) breaches.push(`L2: ${id} runs while it waits`);
    // In a lane that holds the abandoned, the function of a task that waits for its children may still run (C2).
    const mayHold = lane.holdAbandoned && state.ending !== undefined;
    if (state.status === "blocked" && holdsSlot && !mayHold) breaches.push(`L2: ${id} is blocked and holds a slot`);
    if (isOver && holdsSlot && !mayHold) breaches.push(`L8: ${id} is over and holds a slot`);
    for (const { waiting } of watchersOf(task)) {
      if (waiting !== undefined && !waiting.attempt?.isWaiting)
        breaches.push(`W3: ${waiting.id} waits for nothing, and is linked to ${id}`);
    }
    if (isOver !== isTerminal(state.status)) breaches.push(`S3: ${id} is ${state.status}, finishedAt says otherwise`);
    if (state.status !== "blocked" && !isEmpty(state.blockedOn)) breaches.push(`S4: ${id} is blocked on something`);
  }
  for (const [lane, count] of held) {
    if (lane.held !== count) breaches.push(`L8: lane ${lane.name} counts ${lane.held} slots, held are ${count}`);
    if (lane.held > lane.concurrency) breaches.push(`L1: lane ${lane.name} has ${lane.held} slots out`);
  }
  return breaches;
}

/** Whenever only time can go on. */
export function atPause(stage: Stage, probe: Probe): readonly string[] {
  const breaches = [...unusedSlots(stage, probe), ...unwantedRequests(stage, probe)];
  const isOver = probe.tasks.every((task) => task.isOver) && stage.managers.every(isWithoutAbandoned);
  const timers = stage.timers();
  if (isOver && timers.length > 0) breaches.push(`C5: all tasks are over, set is a timer of ${timers.join(", ")} ms`);
  return breaches;
}

/** Nobody waits for what is free. */
function unusedSlots({ managers }: Stage, { tasks }: Probe): readonly string[] {
  const breaches: string[] = [];
  for (const { manager, concurrency } of managers) {
    const lanes = Object.entries(manager.stats().lanes);
    const held = lanes.reduce((sum, [, lane]) => sum + lane.held, 0);
    if (held > concurrency) breaches.push(`L1: ${held} slots are out of ${concurrency}`);
    for (const [name, { free, queued, paused }] of lanes) {
      if (held >= concurrency || free === 0) continue;
      if (queued > 0 && !paused) breaches.push(`L2: lane ${name} has ${free} slots free and ${queued} in line`);
      const waiting = tasks.find(({ id, attempt }) => attempt?.returning !== undefined && isIn(manager, id, name));
      if (waiting !== undefined) breaches.push(`L2: ${waiting.id} waits for a slot, and lane ${name} has one`);
    }
  }
  for (const { id, state, run } of tasks) {
    if (state.status === "queued" && run?.holdsSlot) breaches.push(`L9: ${id} has a slot and does not start`);
  }
  return breaches;
}

/** A request without a key is there as long as somebody waits for its answer (§3, A3). */
function unwantedRequests({ managers }: Stage, { tasks }: Probe): readonly string[] {
  const wanted = new Set<string>();
  for (const { state } of tasks)
    for (const wait of state.blockedOn) if (wait.on === "input") wanted.add(wait.requestId);
  const open = managers.flatMap(({ manager }) => manager.inbox.list());
  return open
    .filter(({ id, key }) => key === undefined && !wanted.has(id))
    .map(({ id }) => `A3: ${id} is open, and nobody waits for it`);
}

function isIn(manager: TaskManager, id: string, lane: string): boolean {
  return manager.get(id)?.record.lane === lane;
}

function isWithoutAbandoned({ manager }: Managed): boolean {
  return manager.stats().abandoned === 0;
}

/** Once nothing more can happen, before the managers are closed. */
export function atRest(stage: Stage, { tasks, runs, frozen, pendingWaits }: Probe): readonly string[] {
  const breaches: string[] = [];
  for (const task of tasks) {
    const { id, state } = task;
    if (!task.isOver) breaches.push(`H1: ${id} has not ended: ${state.status} on ${inspect([...state.blockedOn])}`);
    if (task.watchers !== undefined) breaches.push(`W3: somebody still watches ${id}`);
    if (runs.get(task)?.holdsSlot) breaches.push(`L8: ${id} still holds its slot`);
    if (task.run !== undefined) breaches.push(`C5: ${id} still has its function`);
  }
  let abandoned = 0;
  for (const { manager } of stage.managers) {
    const { queued, running, blocked, lanes, ...stats } = manager.stats();
    abandoned += stats.abandoned;
    if (queued + running + blocked > 0) breaches.push(`L8: stats() count ${queued} + ${running} + ${blocked} tasks`);
    for (const [name, lane] of Object.entries(lanes)) {
      const isFree = lane.free === lane.concurrency && lane.held === 0 && lane.queued === 0;
      if (!isFree) breaches.push(`L8: lane ${name} is ${inspect(lane)}`);
    }
    for (const { id } of manager.inbox.list()) breaches.push(`S4: ${id} is still open`);
  }
  if (abandoned > frozen.size)
    breaches.push(`C2: ${abandoned} functions have not ended, frozen in a wait are ${frozen.size}`);
  for (const { what, until, seen } of stage.kept) {
    if (until === "all is over" && seen.is === "pending") breaches.push(`L2: all is over, and pending is: ${what}`);
  }
  breaches.push(...pendingWaits().map((wait) => `L2: a wait never settled: ${wait}`));
  breaches.push(...stage.timers().map((ms) => `C5: a timer of ${ms} ms is still set`));
  return breaches;
}

/** Once the managers are closed. */
export function atClose(stage: Stage): readonly string[] {
  const { kept, failing, managers } = stage;
  const breaches: string[] = [];
  for (const { what, seen } of kept) {
    if (seen.is === "pending") breaches.push(`D8: never settled: ${what}`);
    if (seen.is === "rejected" && isMistake(seen.error)) breaches.push(`S8: ${what}: ${inspect(seen.error)}`);
  }
  for (const [index, listeners] of stage.signals().entries()) {
    if (listeners > 0) breaches.push(`C5: signal ${index} still has a listener`);
  }
  const { failures, reported } = failing;
  for (const { error, event } of failures) {
    const times = reported.filter((report) => report.error === error && report.event === event).length;
    if (times !== 1) breaches.push(`§12: ${error.message}: reported ${times} times`);
  }
  if (reported.length !== failures.length) breaches.push(`§12: listener.failed came ${reported.length} times`);
  breaches.push(...breachesOfGiven(stage));
  return [...breaches, ...managers.flatMap(({ told, concurrency }) => breachesOfHistory(told, concurrency))];
}

function isEmpty(values: Iterable<unknown>): boolean {
  return values[Symbol.iterator]().next().done === true;
}
