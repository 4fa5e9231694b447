// Sweep history: what the events of one manager, from its first to its last, must say.
//
// They alone are read here: who keeps to them can be told nothing that did not happen, and misses nothing that did.

import { inspect } from "node:util";
import type { TaskEvent, TaskEventMap } from "errand";
import { isEnd } from "../support/program.js";

export function breachesOfHistory(told: readonly TaskEvent[], concurrency: number): readonly string[] {
  const byTask = new Map<string, TaskEvent[]>();
  for (const event of told) {
    const events = byTask.get(event.taskId) ?? [];
    byTask.set(event.taskId, [...events, event]);
  }
  return [
    ...gapsIn(told),
    ...[...byTask].flatMap(([id, events]) => breachesOfTask(id, events)),
    ...breachesOfFamilies(told),
    ...breachesOfRequests(told),
    ...breachesOfLimit(told, concurrency),
  ];
}

function gapsIn(told: readonly TaskEvent[]): readonly string[] {
  const gap = told.findIndex(({ seq }, index) => seq !== index + 1);
  return gap < 0 ? [] : [`§13: event ${gap + 1} has seq ${told[gap]?.seq}`];
}

const afterEnd: readonly string[] = ["task.updated", "artifact.added", "task.lateSettled"];
const afterSettled: readonly string[] = [...afterEnd, "task.blocked"];

function breachesOfTask(id: string, events: readonly TaskEvent[]): readonly string[] {
  const breaches: string[] = [];
  const count = (type: TaskEvent["type"]): number => events.filter((event) => event.type === type).length;
  const after = (index: number): readonly TaskEvent[] => (index < 0 ? [] : events.slice(index + 1));
  const ends = events.filter(isEnd);
  if (ends.length !== 1) breaches.push(`S6: ${id} has ${ends.length} ends`);
  for (const { type } of after(events.findIndex(isEnd))) {
    if (!afterEnd.includes(type)) breaches.push(`S6: ${id}: ${type} after the end`);
  }
  for (const event of after(events.findIndex(({ type }) => type === "task.returned" || type === "task.abandoned"))) {
    const { type } = event;
    if (!afterSettled.includes(type) && type !== "task.returned" && !isEnd(event))
      breaches.push(`S2: ${id}: ${type} after its function was over`);
  }
  for (const event of after(events.findIndex(({ type }) => type === "task.cancelRequested"))) {
    const { type } = event;
    const isForChildren = type === "task.blocked" && event.blockedOn.every(({ on }) => on === "children");
    if (["task.started", "task.resumed", "request.opened"].includes(type)) breaches.push(`C3: ${id}: ${type} stopped`);
    if (type === "task.blocked" && !isForChildren) breaches.push(`C3: ${id} waits for something, stopped`);
  }
  if (events[0]?.type !== "task.created") breaches.push(`§13: the first event of ${id} is ${events[0]?.type}`);
  for (const type of ["task.created", "task.started", "task.cancelRequested", "task.returned"] as const) {
    if (count(type) > 1) breaches.push(`S5: ${id}: ${type} ${count(type)} times`);
  }
  if (count("task.lateSettled") > count("task.abandoned")) breaches.push(`C2: ${id} settled late, unabandoned`);
  return [...breaches, ...breachesOfEnd(id, events)];
}

/** C1, S5: what stopped it, and how it may end. */
function breachesOfEnd(id: string, events: readonly TaskEvent[]): readonly string[] {
  const stop = events.find((event) => event.type === "task.cancelRequested")?.stopReason;
  const end = events.find(isEnd);
  const error = end?.type === "task.failed" ? end.error : undefined;
  if (isMistake(error?.cause)) return [`S8: ${id} threw ${inspect(error?.cause)}`];
  if (end === undefined || isAllowed(end.type, error?.code, stop)) return [];
  return [`C1: ${id}: ${end.type} (${error?.code}) after a stop by ${stop}`];
}

function isAllowed(
  end: TaskEvent["type"],
  code: string | undefined,
  stop: TaskEventMap["task.cancelRequested"]["stopReason"] | undefined,
): boolean {
  switch (stop) {
    case undefined:
      return end === "task.succeeded" || code === "error" || code === "rejected";
    case "cancel":
      return end === "task.succeeded" || end === "task.cancelled";
    case "shutdown":
      return end === "task.succeeded" || end === "task.interrupted";
    default:
      return code === stop;
  }
}

/** H1, H3: nobody is born below one that was stopped or is over, and attached children end first. */
function breachesOfFamilies(told: readonly TaskEvent[]): readonly string[] {
  const breaches: string[] = [];
  const closed = new Map<string, string>();
  const attached = new Map<string, string>();
  const ended = new Set<string>();
  for (const event of told) {
    const { type, taskId } = event;
    if (type === "task.created") {
      const { parentId, detached } = event.record;
      const why = parentId === undefined ? undefined : closed.get(parentId);
      if (why !== undefined) breaches.push(`H3: ${taskId} was spawned under ${parentId} after its ${why}`);
      if (parentId !== undefined && !detached) attached.set(taskId, parentId);
    }
    if (type === "task.updated" && event.patch.detached === true) attached.delete(taskId);
    if (type === "task.cancelRequested" || type === "task.returned" || isEnd(event)) closed.set(taskId, type);
    if (!isEnd(event)) continue;
    ended.add(taskId);
    const parentId = attached.get(taskId);
    if (parentId !== undefined && ended.has(parentId)) breaches.push(`H2: ${taskId} ended after its parent`);
  }
  return breaches;
}

/** A1, S4: every request is closed, once. */
function breachesOfRequests(told: readonly TaskEvent[]): readonly string[] {
  const open = new Set<string>();
  const breaches: string[] = [];
  for (const event of told) {
    if (!("request" in event)) continue;
    const { id } = event.request;
    if (event.type === "request.opened") open.add(id);
    else if (!open.delete(id)) breaches.push(`A1: ${id}: ${event.type}, and it was not open`);
  }
  return [...breaches, ...Array.from(open, (id) => `S4: ${id} was never told to be closed`)];
}

/** L1: those that were last told to run are never more than the limit. */
function breachesOfLimit(told: readonly TaskEvent[], concurrency: number): readonly string[] {
  const running = new Set<string>();
  for (const event of told) {
    const { type, taskId } = event;
    if (type === "task.started" || type === "task.resumed") running.add(taskId);
    if (type === "task.blocked" || isEnd(event)) running.delete(taskId);
    if (running.size > concurrency) return [`L1: at event ${event.seq} run ${[...running].join(", ")}`];
  }
  return [];
}

/** An error of the language: no program here throws one, and no refusal of errand's is one. */
export function isMistake(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
}
