// What facts make of a task over a whole life: any sequence of commands, decided and then evolved, keeps the
// invariants of the record.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Command } from "../../../lib/core/task/commands.js";
import { decide, isRefusal } from "../../../lib/core/task/decide.js";
import type { Fact } from "../../../lib/core/task/events.js";
import { evolve } from "../../../lib/core/task/evolve.js";
import type { LinksInput, TaskLinks } from "../../../lib/core/task/record.js";
import type { Settled } from "../../../lib/core/task/settled.js";
import { isParked, isPausing, linksOf, NO_WAITS, type TaskState } from "../../../lib/core/task/state.js";
import { isTerminal, type TaskStatus } from "../../../lib/core/task/status.js";
import {
  COMMAND_NAMES,
  CREATED_AT,
  commandOf,
  created,
  deepFreeze,
  end,
  evolveAll,
  isEnd,
  NOT_BEFORE_AT,
  play,
  SETTLED,
  STATE_NAMES,
  STATES,
  STOP_REASONS,
  settle,
  start,
  stop,
} from "../../support/rules.js";

// ── any life ───────────────────────────────────────────────────────────────

const settled = fc.constantFrom<Settled>(...Object.values(SETTLED));
const living = fc.constantFrom<readonly string[]>([], ["child"]);
/** Mostly of the attempt that runs. */
const attempt = fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, fc.constantFrom(0, 2));

const named = (...names: readonly (typeof COMMAND_NAMES)[number][]): fc.Arbitrary<Command> =>
  fc.tuple(fc.constantFrom(...names), attempt).map(([name, number]) => commandOf(name, number));

/** Starts and waits more often than ends, so that lives are long. */
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(start) },
  { weight: 8, arbitrary: named("block", "resume") },
  { weight: 5, arbitrary: named(...COMMAND_NAMES) },
  { weight: 1, arbitrary: fc.tuple(settled, living).map(([how, children]) => settle(how, children)) },
  { weight: 1, arbitrary: fc.constantFrom(...STOP_REASONS).map((reason) => stop(reason, reason)) },
);

interface Step {
  readonly before: TaskState;
  readonly command: Command;
  readonly facts: readonly Fact[];
  readonly after: TaskState;
  readonly at: number;
}

/** Plays a life and checks `law` after each step; a refused command is a step without facts. */
function live(commands: readonly Command[], law: (step: Step) => void = () => undefined): readonly Step[] {
  let [before, at] = [created, CREATED_AT];
  return commands.map((order) => {
    at += 10;
    const decision = decide(before, order);
    const facts = isRefusal(decision) ? [] : decision;
    const step = { before, command: order, facts, after: evolveAll(before, facts, at), at };
    before = step.after;
    law(step);
    return step;
  });
}

function holds(law: (step: Step) => void): void {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 30 }), (commands) => void live(commands, law)),
    { numRuns: 1_000 },
  );
}

/** §1, "leaves to". */
const LEAVES_TO: { readonly [S in TaskStatus]: readonly TaskStatus[] } = {
  queued: ["running", "succeeded", "failed", "cancelled", "interrupted"],
  running: ["blocked", "queued", "succeeded", "failed", "cancelled", "interrupted"],
  blocked: ["running", "queued", "succeeded", "failed", "cancelled", "interrupted"],
  succeeded: [],
  failed: [],
  cancelled: [],
  interrupted: [],
};

describe("any sequence of commands", () => {
  test("§1 moves a task only where its status leads", () => {
    holds(({ before, facts, at }) => {
      let state = before;
      for (const fact of facts) {
        const next = evolve(state, fact, at);
        if (next.status !== state.status) expect(LEAVES_TO[state.status]).toContain(next.status);
        state = next;
      }
    });
  });

  test("S1 leaves what is terminal as it is", () => {
    holds(({ before, after }) => {
      if (!isTerminal(before.status)) return;
      const { status, ending, output, startedAt, finishedAt, runtime, attempt: number, blockedOn, stop: by } = after;
      expect({ status, ending, output, startedAt, finishedAt, runtime, attempt: number, blockedOn, stop: by }).toEqual({
        status: before.status,
        ending: before.ending,
        output: before.output,
        startedAt: before.startedAt,
        finishedAt: before.finishedAt,
        runtime: before.runtime,
        attempt: before.attempt,
        blockedOn: NO_WAITS,
        stop: before.stop,
      });
    });
  });

  test("S3 stamps the start and the end once, each when it happens", () => {
    holds(({ before, facts, after, at }) => {
      const has = (is: (type: string) => boolean): boolean => facts.some(({ type }) => is(type));
      const started = has((type) => type === "task.started") ? at : undefined;
      expect(after.startedAt).toBe(before.startedAt ?? started);
      expect(after.finishedAt).toBe(has(isEnd) ? at : before.finishedAt);
      if (before.startedAt !== undefined) expect(after.startedAt).toBe(before.startedAt);
      if (before.finishedAt !== undefined) expect(after.finishedAt).toBe(before.finishedAt);
      expect(after.finishedAt !== undefined).toBe(isTerminal(after.status));
      expect(after.updatedAt).toBe(facts.length > 0 ? at : before.updatedAt);
    });
  });

  test("S4 leaves no wait behind in a task that is neither blocked nor parked", () => {
    holds(({ after }) => {
      if (isParked(after)) return;
      if (after.status !== "blocked") expect([...after.blockedOn]).toEqual([]);
      // Started and not over: what stopped it ended its waits, and only children can still hold it up (H1).
      else if (after.stop !== undefined && after.ending === undefined) expect([...after.blockedOn]).toEqual([]);
      else expect([...after.blockedOn]).not.toEqual([]);
    });
  });

  test("S5 keeps the first stop; that of a process that shut down ends with it (D8)", () => {
    holds(({ before, facts, after }) => {
      if (before.stop === undefined) return;
      const goesOn = facts.some(({ type }) => type === "task.reattached");
      const isParked = facts.some(({ type }) => type === "task.parked");
      const triesAgain = facts.some(({ type }) => type === "task.retried");
      if (goesOn || isParked) expect(before.stop.code).toBe("shutdown");
      if (triesAgain) expect(["timeout", "stalled"]).toContain(before.stop.code);
      expect(after.stop).toBe(goesOn || isParked || triesAgain ? undefined : before.stop);
    });
  });

  test("D4 fences the attempt before from the one that goes on", () => {
    holds(({ before, facts, after, at }) => {
      // In the pause between two attempts none has died: the next one keeps its number.
      const isSameAttempt = isPausing(before, at);
      const goesOn = facts.some(
        ({ type }) => type === "task.retried" || (type === "task.reattached" && !isSameAttempt),
      );
      expect(after.attempt).toBe(goesOn ? before.attempt + 1 : before.attempt);
    });
  });

  test("D4 counts an attempt as used up by a failure, or by a process that died while the function ran, once", () => {
    holds(({ before, facts, after }) => {
      const ofDeath = ["task.reattached", "task.parked", "task.interrupted"];
      const isLeft = facts.some(({ type }) => ofDeath.includes(type));
      const hasFailed = facts.some(({ type }) => type === "task.retried");
      const hasDied = isLeft && before.status === "running" && before.stop === undefined;
      expect(after.details.used).toBe(before.details.used + (hasFailed || hasDied ? 1 : 0));
    });
  });

  test("H1 never changes an outcome once there is one", () => {
    holds(({ before, after }) => {
      if (before.ending === undefined) return;
      expect(after.ending).toBe(before.ending);
      expect(after.output).toBe(before.output);
      if (isTerminal(after.status)) expect(after.status).toBe(before.ending.status);
    });
  });

  test("S6 tells the end at most once, and after it only updates, artifacts and a late end", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
        const types = live(commands).flatMap(({ facts }) => facts.map(({ type }) => type));
        const ended = types.findIndex(isEnd);
        const allowed: readonly string[] = ["task.updated", "artifact.added", "task.lateSettled"];
        if (ended >= 0) expect(types.slice(ended + 1).filter((type) => !allowed.includes(type))).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
  });

  test("S6 can always be brought to an end, which is reported exactly once", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), fc.constantFrom(...STOP_REASONS), (commands, reason) => {
        // An attempt after the first is not the one that these settle; its process ends (D4).
        const finale = [stop(reason), settle(SETTLED.unstarted), settle(SETTLED.silent), end, commandOf("lose")];
        const steps = live([...commands, ...finale]);
        expect(steps.flatMap(({ facts }) => facts.filter(({ type }) => isEnd(type)))).toHaveLength(1);
        expect(isTerminal(steps.at(-1)?.after.status ?? "queued")).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  test("S8 changes nothing when it is refused", () => {
    holds(({ before, facts, after }) => {
      if (facts.length === 0) expect(after).toBe(before);
    });
  });

  test("§2 comes to the same state when its facts are replayed", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
        const steps = live(commands);
        const replayed = steps.reduce((state, { facts, at }) => evolveAll(state, facts, at), created);
        expect(replayed).toEqual(steps.at(-1)?.after ?? created);
      }),
      { numRuns: 300 },
    );
  });
});

// ── one fact ───────────────────────────────────────────────────────────────

describe("a fact", () => {
  test("S3 makes a task that never began end without a start", () => {
    expect(play(STATES["queued, stopped"], settle(SETTLED.unstarted))).toMatchObject({
      status: "cancelled",
      startedAt: undefined,
      runtime: undefined,
      finishedAt: expect.any(Number),
    });
  });

  test("S3 keeps the first start when a later attempt starts", () => {
    const queuedAgain: TaskState = { ...STATES.running, status: "queued", attempt: 2 };
    const { status, startedAt } = play(queuedAgain, start, 9_000);
    expect({ status, startedAt }).toEqual({ status: "running", startedAt: STATES.running.startedAt });
  });

  test("S4 leaves no wait behind when a blocked task resumes, is stopped or ends", () => {
    expect([...STATES.blocked.blockedOn]).toEqual([{ on: "message" }]);
    for (const next of [commandOf("resume"), stop("cancel"), settle(SETTLED.returned)])
      expect([...play(STATES.blocked, next).blockedOn]).toEqual([]);
    expect([...play(STATES.finishing, end).blockedOn]).toEqual([]);
  });

  test("§2 of a task that was never created is a mistake", () => {
    expect(() => evolve(undefined, { type: "task.resumed" }, 0)).toThrow(
      new TypeError("task.resumed of a task that was never created"),
    );
    expect(evolve(undefined, { type: "task.created", state: created, runtime: undefined }, 0)).toBe(created);
  });

  test("S7 appends artifacts, in any state", () => {
    for (const name of STATE_NAMES) {
      const twice = play(play(STATES[name], commandOf("addArtifact")), commandOf("addArtifact"));
      expect(twice.details.made).toMatchObject({ artifact: { name: "a" }, before: { artifact: { name: "a" } } });
    }
  });

  const id = fc.constantFrom("a", "b", "c", "d");
  const links: fc.Arbitrary<TaskLinks> = fc
    .record({ childSessionId: id, remoteTaskId: id, resourceIds: fc.array(id, { maxLength: 4 }) }, { requiredKeys: [] })
    .map(deepFreeze);

  test("S7 merges links field by field, and resource ids without duplicates in order of arrival", () => {
    fc.assert(
      fc.property(fc.array(links, { maxLength: 6 }), (patches) => {
        const { linked } = patches.reduce(
          (state, patch) => play(state, { type: "update", patch: { links: patch } }),
          created,
        ).details;
        const merged = linked === undefined ? {} : linksOf(linked);
        const last = (field: "childSessionId" | "remoteTaskId"): string | undefined =>
          patches.map((patch) => patch[field]).findLast((value) => value !== undefined);
        const resourceIds = [...new Set(patches.flatMap((patch) => patch.resourceIds ?? []))];
        const wanted: LinksInput = {
          childSessionId: last("childSessionId"),
          remoteTaskId: last("remoteTaskId"),
          resourceIds: resourceIds.length > 0 ? resourceIds : undefined,
        };
        // `toEqual` takes a field that is undefined for one that is not there; a record has no undefined fields.
        expect(merged).toEqual(wanted);
        expect(Object.values(merged)).not.toContain(undefined);
      }),
    );
  });

  test("S7 adding links copies none of those before, however many there are", () => {
    const first = play(created, { type: "update", patch: { links: { resourceIds: ["a"] } } });
    const second = play(first, { type: "update", patch: { links: { resourceIds: ["b"] } } });
    expect(second.details.linked?.before).toBe(first.details.linked);
  });

  test("N1 about notices that were acknowledged changes nothing of the task", () => {
    for (const state of Object.values(STATES))
      expect(evolve(state, { type: "task.updated", patch: { acknowledged: ["notice_1"] } }, 9_000)).toBe(state);
  });

  test("§8 about progress replaces the progress before", () => {
    const once = play(STATES.running, commandOf("progress"));
    expect(once.details.progress).toEqual({ current: 1, total: 2 });
    const twice = play(once, { type: "progress", attempt: 1, progress: { current: 2 } });
    expect(twice.details.progress).toEqual({ current: 2 });
  });

  test("§1 the pause of a retry lasts until the next start, or the end", () => {
    const pausing = STATES["queued, again"];
    expect(pausing.details.notBeforeAt).toBe(NOT_BEFORE_AT);
    const ways = [start, commandOf("lose"), commandOf("deliver")];
    for (const way of ways) expect(play(pausing, way).details.notBeforeAt).toBeUndefined();
    const cancelled = play(play(pausing, stop("cancel")), commandOf("settle unstarted", 2));
    expect(cancelled.status).toBe("cancelled");
    expect(cancelled.details.notBeforeAt).toBeUndefined();
  });

  test("D4 says that an attempt was left, from the death of its process to the start of the next one", () => {
    for (const command of ["reattach", "park"] as const) {
      for (const state of [STATES.running, STATES.blocked]) {
        const left = play(state, commandOf(command));
        expect(left.details.isLeft).toBe(true);
        const again = command === "park" ? play(left, commandOf("reattach")) : left;
        expect(again.details.isLeft).toBe(true);
        expect(play(again, start).details.isLeft).toBe(false);
      }
      // No attempt of a queued task had begun.
      expect(play(created, commandOf(command)).details.isLeft).toBe(false);
    }
  });

  test("D4 counts the attempts that are used up: by a failure, and by a death of the process while it ran", () => {
    const second = play(STATES["queued, again"], start);
    expect(second.attempt).toBe(2);
    expect(second.details.used).toBe(1);
    for (const command of ["reattach", "park", "lose"] as const) {
      expect(play(second, commandOf(command)).details.used).toBe(2);
      expect(play(STATES["queued, again"], commandOf(command)).details.used).toBe(1);
      expect(play(play(second, stop("shutdown")), commandOf(command)).details.used).toBe(1);
    }
    expect(play(second, commandOf("settle threw, again", 2))).toMatchObject({ attempt: 3, details: { used: 2 } });
    // A cancel ends the task, but uses up no attempt.
    expect(play(play(second, stop("cancel")), commandOf("lose")).details.used).toBe(1);
  });

  test("D4 parks a task: a queued one stays queued, any other is blocked, and each says what it waits for", () => {
    for (const name of ["queued", "queued, again", "running", "blocked"] as const) {
      const { status, blockedOn } = play(STATES[name], commandOf("park"));
      expect([name, status]).toEqual([name, STATES[name].status === "queued" ? "queued" : "blocked"]);
      expect([...blockedOn]).toEqual([{ on: "kind", kind: "print" }]);
    }
  });

  test("§2 of a request, a message, a report or an event of its own changes nothing of the task but its newest change", () => {
    const names = ["emit", "post", "send", "reportUsage", "openRequest"] as const;
    const closings = ["close answered", "close rejected", "close expired", "close withdrawn"] as const;
    for (const name of [...names, ...closings])
      expect([name, play(STATES.running, commandOf(name), 9_000)]).toEqual([
        name,
        { ...STATES.running, updatedAt: 9_000 },
      ]);
    expect(play(STATES.failed, commandOf("lateSettle"), 9_000)).toEqual({ ...STATES.failed, updatedAt: 9_000 });
  });

  test("§2 copies the description of a task only when it changes it", () => {
    expect(play(created, start).details).toBe(created.details);
    for (const settled of [SETTLED.returned, SETTLED.threw])
      expect(play(STATES.running, settle(settled)).details).toBe(STATES.running.details);
  });

  test("S7 leaves what an update does not name", () => {
    const before = play(created, { type: "update", patch: { title: "one", links: { remoteTaskId: "r" } } });
    const after = play(before, { type: "update", patch: { tags: ["t"] } });
    expect(after.details).toEqual({ ...before.details, tags: ["t"] });
  });
});
