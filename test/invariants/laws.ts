// Laws: the rules of RULES.md that hold at every event, and whenever everything is quiet; each a small function named by its number.
//
// They look at what anybody can see (events, records, stats, the inbox) and at no model. A law gives the words of its breach.

import { isDeepStrictEqual } from "node:util";
import type { TaskEvent, TaskManager, TaskRecord } from "errand";
import { isEnd, isTerminal } from "../support/program.js";
import type { Rules } from "./steps.js";
import { isAfterEnd, type Known, type Told } from "./told.js";

type Breach = string | undefined;

/** At an event: `before` is what was known of its task, `told` knows the event already. */
export interface Moment {
  readonly rules: Rules;
  readonly told: Told;
  readonly event: TaskEvent;
  readonly before: Known | undefined;
  readonly previousSeq: number;
}

export interface Quiet {
  readonly rules: Rules;
  readonly told: Told;
  readonly manager: TaskManager;
  readonly records: readonly TaskRecord[];
}

export const AT_EVERY_EVENT: { readonly [law: string]: (moment: Moment) => Breach } = {
  "§2 seq is gapless": ({ event, previousSeq }) =>
    event.seq === previousSeq + 1 ? undefined : `seq ${event.seq} follows ${previousSeq}`,

  "L1 a lane runs no more than its concurrency": ({ rules, told, event }) => {
    const { lane } = told.of(event.taskId).record;
    const running = told.records.filter(({ status }) => status === "running");
    const inLane = running.filter((record) => record.lane === lane).length;
    const most = lanesOf(rules)[lane]?.concurrency ?? Infinity;
    if (inLane > most) return `${inLane} run in lane ${lane} of ${most}`;
    const all = rules.concurrency ?? Infinity;
    return running.length > all ? `${running.length} run, of ${all}` : undefined;
  },

  "S1 terminal is final, S6 after the end little is reported": ({ event, before }) => {
    if (before === undefined || !isTerminal(before.record.status)) return undefined;
    return isAfterEnd(event) ? undefined : `${event.type} after ${before.record.status}`;
  },

  "S5 only the first stop is reported": ({ event, before }) =>
    event.type === "task.cancelRequested" && before?.record.stopReason !== undefined ? "stopped twice" : undefined,

  "H1 a task is not done before its attached children": ({ told, event }) => {
    const living = isEnd(event) ? livingUnder(told.records, event.taskId) : [];
    return living.length === 0 ? undefined : `ended while ${living.map(({ id }) => id).join()} lives`;
  },

  "H1 an outcome is final once it is stored": ({ told, event, before }) => {
    const { outcome } = told.of(event.taskId);
    const isSame = before?.outcome === undefined || before.outcome === outcome;
    return isSame ? undefined : `${before?.outcome} became ${outcome}`;
  },

  "H3 nothing is spawned under a task that was stopped or is over": ({ told, event }) => {
    if (event.type !== "task.created" || event.record.parentId === undefined) return undefined;
    const { record, outcome } = told.of(event.record.parentId);
    return record.stopReason === undefined && outcome === undefined ? undefined : `spawned under ${record.id}`;
  },

  "H4 no more depth, children or descendants than the limits": ({ rules, told, event }) => {
    if (event.type !== "task.created" || event.record.parentId === undefined) return undefined;
    const { parentId, rootId, depth } = event.record;
    const { maxDepth = 8, maxChildren = Infinity, maxDescendants = Infinity } = rules.limits ?? {};
    const children = told.living.filter((each) => each.parentId === parentId).length;
    const below = told.living.filter((each) => each.rootId === rootId && each.id !== rootId).length;
    const isOver = depth > maxDepth || children > maxChildren || below > maxDescendants;
    return isOver ? `depth ${depth}, ${children} children, ${below} descendants` : undefined;
  },
};

export const WHEN_QUIET: { readonly [law: string]: (quiet: Quiet) => Breach } = {
  "L2 no slot is free while a task may have it": ({ rules, manager, records }) => {
    const { lanes } = manager.stats();
    const held = Object.values(lanes).reduce((sum, lane) => sum + lane.held, 0);
    if (held >= (rules.concurrency ?? Infinity)) return undefined;
    for (const { id, status, blockedOn, lane, reason } of records) {
      const stats = lanes[lane];
      if (stats === undefined || stats.free === 0 || reason !== undefined) continue;
      if (blockedOn.some(({ on }) => on === "slot") && blockedOn.length === 1) return `${id} could come back`;
      if (status === "queued" && !stats.paused) return `${id} could start`;
    }
    return undefined;
  },

  "L8 free + held = concurrency, and every slot has its task": ({ rules, manager, records }) => {
    for (const [name, { concurrency, free, held }] of Object.entries(manager.stats().lanes)) {
      const running = records.filter(({ lane, status }) => lane === name && status === "running").length;
      const mayHold = lanesOf(rules)[name]?.holdAbandoned ? manager.stats().abandoned : 0;
      const isWhole = concurrency === undefined || (free ?? 0) + held === concurrency;
      if (!isWhole || held < running || held > running + mayHold)
        return `${name}: ${free} free, ${held} held, ${running} run`;
    }
    return undefined;
  },

  "S3 an ended task has finishedAt, a living one has not": ({ records }) =>
    told(records, ({ status, finishedAt }) => isTerminal(status) !== (finishedAt !== undefined)),

  "S4 blockedOn is present in blocked tasks alone": ({ records }) =>
    told(records, ({ status, blockedOn }) => status !== "blocked" && blockedOn.length > 0),

  "S4 a request being waited for forces blocked": ({ manager, records }) => {
    const waits = new Set(
      records.flatMap(({ blockedOn }) => blockedOn.map((wait) => "requestId" in wait && wait.requestId)),
    );
    const forgotten = manager.inbox.list().filter(({ id, key }) => key === undefined && !waits.has(id));
    return forgotten.length === 0 ? undefined : JSON.stringify(forgotten);
  },

  "S4 a task that is over has no open request": ({ manager, records }) =>
    told(records, ({ id, status }) => isTerminal(status) && manager.inbox.list({ taskId: id }).length > 0),

  "C3 a stopped task waits for nothing but its children": ({ records }) =>
    told(
      records,
      ({ stopReason, blockedOn }) => stopReason !== undefined && blockedOn.some(({ on }) => on !== "children"),
    ),

  "H1 no terminal task has a living attached child": ({ records }) =>
    told(records, ({ id, status }) => isTerminal(status) && livingUnder(records, id).length > 0),

  "H2 what is attached below a stop or a failure is stopped": ({ told: { tasks }, records }) =>
    told(records, ({ id, stopReason }) => {
      const outcome = tasks.get(id)?.outcome;
      if (stopReason === undefined && (outcome === undefined || outcome === "succeeded")) return false;
      return livingUnder(records, id).some(
        (child) => child.stopReason === undefined && tasks.get(child.id)?.outcome === undefined,
      );
    }),

  "§2 the events give the live record, S3 with its instants, S7 with its links and artifacts": ({
    told: { tasks },
    records,
  }) =>
    told(records, (record) => {
      const known = tasks.get(record.id);
      return known === undefined || !isDeepStrictEqual(toldOf(known.record), toldOf(record));
    }),
};

function told(records: readonly TaskRecord[], isBreach: (record: TaskRecord) => boolean): Breach {
  const broken = records.filter(isBreach);
  return broken.length === 0 ? undefined : JSON.stringify(broken);
}

function livingUnder(records: readonly TaskRecord[], id: string): TaskRecord[] {
  return records.filter(({ parentId, detached, status }) => parentId === id && !detached && !isTerminal(status));
}

function lanesOf(rules: Rules): NonNullable<Rules["lanes"]> {
  const { concurrency = Infinity, lanes = {} } = rules;
  return "default" in lanes ? lanes : { default: { concurrency }, ...lanes };
}

/** A record without what no event of its own task says: what comes from its family, and which of the tasks it waits for still live. */
function toldOf({ usage: _, totalDeadlineAt: __, blockedOn, ...record }: TaskRecord): object {
  return { ...record, blockedOn: blockedOn.map(({ on }) => on) };
}
