// Compare: where the model and the manager differ, each difference in one line.

import type { TaskEvent } from "errand";
import { Handle } from "../../lib/session/handle.js";
import type { Model } from "./model.js";
import { blockedOn, deadlineOf, textOf } from "./model-state.js";
import type { Puppets } from "./puppets.js";

export function differencesOf(model: Model, puppets: Puppets): readonly string[] {
  const lines: string[] = [];
  const same = (what: string, expected: unknown, given: unknown): void => {
    if (expected !== given) lines.push(`${what}: the model says "${text(expected)}", the manager "${text(given)}"`);
  };
  const { manager } = puppets;

  for (const [name, task] of model.tasks) {
    const handle = puppets.handles.get(name);
    if (handle === undefined) {
      same(name, "it was spawned", "nothing");
      continue;
    }
    const { status, blockedOn: waits } = handle.record;
    same(`status of ${name}`, task.status, status);
    same(`blockedOn of ${name}`, blockedOn(task).join(), waits.map(({ on }) => on).join());
    if (!task.isOver) same(`totalDeadlineAt of ${name}`, deadlineOf(task), handle.record.totalDeadlineAt ?? Infinity);
    const outcome = puppets.outcomes.get(name);
    const expected = task.isOver && task.outcome !== undefined ? `${name} ${textOf(task.outcome)}` : undefined;
    same(`outcome of ${name}`, expected, outcome === undefined ? undefined : puppets.textOf(outcome));
    // W3: nothing is left behind of a wait.
    if (task.isOver) same(`watchers of ${name}`, false, Handle.heldBy("handle", handle)?.task.watchers !== undefined);
  }

  for (const [name, wait] of model.waits) {
    if (wait.options.unread) continue;
    const seen = puppets.seen.get(name);
    same(`wait ${name}`, wait.told?.text, seen?.text);
    same(`wait ${name} is fulfilled`, wait.told?.isOk, seen?.isOk);
  }
  model.requests.forEach((request, at) => {
    // One whose task is not kept any more is not kept either (D6).
    const known = manager.inbox.get(`request_${at + 1}`)?.status ?? (request.task.isOver ? request.status : undefined);
    same(`request ${at + 1}`, request.status, known);
  });

  const { lanes, abandoned, droppedWrites } = manager.stats();
  for (const lane of model.slots.lanes) {
    same(`slots held in ${lane.name}`, lane.held, lanes[lane.name]?.held);
    const starts = lane.line.filter((task) => task.place?.isResume === false).length;
    same(`starts in line of ${lane.name}`, starts, lanes[lane.name]?.queued);
  }
  const silent = [...model.tasks.values()].filter((task) => task.phase === "abandoned" && !task.isSilent);
  same("stats().abandoned", silent.length, abandoned);
  same("stats().droppedWrites", model.droppedWrites, droppedWrites);

  // C5: a user's signal has one listener while somebody follows it, else none.
  for (const [name, { followers }] of model.signals) {
    same(`listeners of signal ${name}`, followers.length === 0 ? 0 : 1, puppets.listenersOf(name));
  }
  same("close() is over", model.isClosed && model.living.length === 0, puppets.isClosed);

  const given = puppets.told.flatMap((event) => factOf(event, puppets.name(event.taskId)));
  for (let at = 0; at < Math.max(given.length, model.facts.length); at++) {
    same(`fact ${at + 1}`, model.facts[at], given[at]);
    if (model.facts[at] !== given[at]) break;
  }
  return lines;
}

/** An event as the model tells it; how often `blockedOn` is told is the manager's own affair. */
function factOf(event: TaskEvent, name: string): readonly string[] {
  switch (event.type) {
    case "task.created":
    case "task.started":
    case "task.reattached":
    case "task.parked":
    case "task.resumed":
    case "task.abandoned":
      return [`${event.type.slice("task.".length)} ${name}`];
    case "task.cancelRequested":
      return [`stopped ${name} ${event.stopReason} ${event.reason}`];
    case "task.returned": {
      const { outcome } = event;
      const why = "value" in outcome ? outcome.value : "error" in outcome ? outcome.error.code : outcome.reason;
      return [`returned ${name} ${outcome.status} ${text(why)}${"abandoned" in outcome ? ", abandoned" : ""}`];
    }
    case "task.succeeded":
      return [`ended ${name} succeeded ${text(event.output)}`];
    case "task.failed":
      return [`ended ${name} failed ${event.error.code}`];
    case "task.cancelled":
    case "task.interrupted":
      return [`ended ${name} ${event.type.slice("task.".length)} ${event.reason}`];
    case "task.lateSettled":
      return [`lateSettled ${name} ${event.settled}`];
    case "request.opened":
    case "request.answered":
    case "request.rejected":
    case "request.expired":
    case "request.withdrawn":
      return [`request ${event.request.id.slice("request_".length)} ${event.request.status}`];
    case "message.sent":
      return [event.message.direction === "inbound" ? `message ${name} inbound` : `post ${name}`];
    case "task.progressed":
      return [`progress ${name}`];
    case "task.updated": {
      const { detached, summary, links, acknowledged } = event.patch;
      // Whose loop was told of it is no part of this model.
      if (acknowledged !== undefined) return [];
      const what = detached ? "detached" : summary !== undefined ? "summary" : links ? "link" : "heartbeat";
      return [`${what} ${name}`];
    }
    case "artifact.added":
      return [`artifact ${name}`];
    case "usage.reported":
      return [`usage ${name}`];
    case "custom":
      return [`emit ${name}`];
    case "task.retried":
      return [`retried ${name} ${event.error.code}`];
    case "task.blocked":
      return [];
  }
}

function text(value: unknown): string {
  return typeof value === "string" ? value : value === undefined ? "nothing" : JSON.stringify(value);
}
