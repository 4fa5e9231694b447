// The rules of §1–§5 as a table: what each command comes to in each state, and the laws over all of it.
//
// How a task ended has a file of its own, outcome.test.ts; what the facts make of it over a whole life, evolve.test.ts.

import { describe, expect, test } from "vitest";
import { decide, isRefusal, isStopped, retriable } from "../../../lib/core/task/decide.js";
import { evolve } from "../../../lib/core/task/evolve.js";
import { isTerminal, TASK_STATUSES } from "../../../lib/core/task/status.js";
import {
  COMMAND_NAMES,
  cellOf,
  cellsOf,
  commandOf,
  created,
  evolveAll,
  NEXT_RUNTIME,
  NOT_BEFORE_AT,
  play,
  playAll,
  SETTLED,
  STATE_NAMES,
  STATES,
  STOP_REASONS,
  settle,
  settleAgain,
  start,
  stop,
} from "../../support/rules.js";

// ── every state × every command ────────────────────────────────────────────
//
// A cell names the facts, or the refusal in parentheses. A stopped state was stopped by `cancel`. In a finishing
// one the outcome is final and a child lives: it has returned, or (queued) was cancelled before it began. In
// `superseded` attempt 2 runs, and the command comes from attempt 1; in `queued, again` attempt 2 has not begun.
// An `own` command is a function's write; without `own` it comes from outside. A settle with `again` says when the
// task may run again.

const TABLES = [
  `
                  | start             | block         | resume        | stop
queued            | task.started      | (not_started) | (not_started) | task.cancelRequested
queued, stopped   | (stopped)         | (not_started) | (not_started) | (stopped)
queued, finishing | (stopped)         | (settled)     | (settled)     | (settled)
queued, again     | task.started      | (superseded)  | (superseded)  | task.cancelRequested
running           | (already_started) | task.blocked  | (not_blocked) | task.cancelRequested
running, stopped  | (already_started) | (stopped)     | (stopped)     | (stopped)
blocked           | (already_started) | task.blocked  | task.resumed  | task.cancelRequested
blocked, stopped  | (already_started) | (stopped)     | (stopped)     | (stopped)
finishing         | (already_started) | (settled)     | (settled)     | (settled)
superseded        | (already_started) | (superseded)  | (superseded)  | task.cancelRequested
succeeded         | (terminal)        | (terminal)    | (terminal)    | (terminal)
failed            | (terminal)        | (terminal)    | (terminal)    | (terminal)
cancelled         | (terminal)        | (terminal)    | (terminal)    | (terminal)
interrupted       | (terminal)        | (terminal)    | (terminal)    | (terminal)
`,
  `
                  | settle returned | settle threw   | settle silent                 | settle unstarted
queued            | (not_started)   | (not_started)  | (not_started)                 | (not_stopped)
queued, stopped   | (not_started)   | (not_started)  | (not_started)                 | task.cancelled
queued, finishing | (settled)       | (settled)      | (settled)                     | (settled)
queued, again     | (superseded)    | (superseded)   | (superseded)                  | (not_stopped)
running           | task.succeeded  | task.failed    | (not_stopped)                 | (already_started)
running, stopped  | task.succeeded  | task.cancelled | task.abandoned task.cancelled | (already_started)
blocked           | task.succeeded  | task.failed    | (not_stopped)                 | (already_started)
blocked, stopped  | task.succeeded  | task.cancelled | task.abandoned task.cancelled | (already_started)
finishing         | (settled)       | (settled)      | (settled)                     | (settled)
superseded        | (superseded)    | (superseded)   | (superseded)                  | (already_started)
succeeded         | (terminal)      | (terminal)     | (terminal)                    | (terminal)
failed            | (terminal)      | (terminal)     | (terminal)                    | (terminal)
cancelled         | (terminal)      | (terminal)     | (terminal)                    | (terminal)
interrupted       | (terminal)      | (terminal)     | (terminal)                    | (terminal)
`,
  `
                  | settle returned, again | settle threw, again | settle silent, again          | settle unstarted, again
queued            | (not_started)          | (not_started)       | (not_started)                 | (not_stopped)
queued, stopped   | (not_started)          | (not_started)       | (not_started)                 | task.cancelled
queued, finishing | (settled)              | (settled)           | (settled)                     | (settled)
queued, again     | (superseded)           | (superseded)        | (superseded)                  | (not_stopped)
running           | task.succeeded         | task.retried        | (not_stopped)                 | (already_started)
running, stopped  | task.succeeded         | task.cancelled      | task.abandoned task.cancelled | (already_started)
blocked           | task.succeeded         | task.retried        | (not_stopped)                 | (already_started)
blocked, stopped  | task.succeeded         | task.cancelled      | task.abandoned task.cancelled | (already_started)
finishing         | (settled)              | (settled)           | (settled)                     | (settled)
superseded        | (superseded)           | (superseded)        | (superseded)                  | (already_started)
succeeded         | (terminal)             | (terminal)          | (terminal)                    | (terminal)
failed            | (terminal)             | (terminal)          | (terminal)                    | (terminal)
cancelled         | (terminal)             | (terminal)          | (terminal)                    | (terminal)
interrupted       | (terminal)             | (terminal)          | (terminal)                    | (terminal)
`,
  `
                  | end            | lateSettle       | update       | addArtifact    | send
queued            | (unsettled)    | (unsettled)      | task.updated | artifact.added | message.sent
queued, stopped   | (unsettled)    | (unsettled)      | task.updated | artifact.added | message.sent
queued, finishing | task.cancelled | task.lateSettled | task.updated | artifact.added | (settled)
queued, again     | (unsettled)    | task.lateSettled | task.updated | artifact.added | message.sent
running           | (unsettled)    | (unsettled)      | task.updated | artifact.added | message.sent
running, stopped  | (unsettled)    | (unsettled)      | task.updated | artifact.added | message.sent
blocked           | (unsettled)    | (unsettled)      | task.updated | artifact.added | message.sent
blocked, stopped  | (unsettled)    | (unsettled)      | task.updated | artifact.added | message.sent
finishing         | task.succeeded | task.lateSettled | task.updated | artifact.added | (settled)
superseded        | (unsettled)    | task.lateSettled | task.updated | artifact.added | message.sent
succeeded         | (terminal)     | task.lateSettled | task.updated | artifact.added | (terminal)
failed            | (terminal)     | task.lateSettled | task.updated | artifact.added | (terminal)
cancelled         | (terminal)     | task.lateSettled | task.updated | artifact.added | (terminal)
interrupted       | (terminal)     | task.lateSettled | task.updated | artifact.added | (terminal)
`,
  `
                  | progress        | own update    | own addArtifact | reportUsage    | emit
queued            | (not_started)   | (not_started) | (not_started)   | (not_started)  | (not_started)
queued, stopped   | (not_started)   | (not_started) | (not_started)   | (not_started)  | (not_started)
queued, finishing | (settled)       | (settled)     | (settled)       | (settled)      | (settled)
queued, again     | (superseded)    | (superseded)  | (superseded)    | (superseded)   | (superseded)
running           | task.progressed | task.updated  | artifact.added  | usage.reported | custom
running, stopped  | task.progressed | task.updated  | artifact.added  | usage.reported | custom
blocked           | task.progressed | task.updated  | artifact.added  | usage.reported | custom
blocked, stopped  | task.progressed | task.updated  | artifact.added  | usage.reported | custom
finishing         | (settled)       | (settled)     | (settled)       | (settled)      | (settled)
superseded        | (superseded)    | (superseded)  | (superseded)    | (superseded)   | (superseded)
succeeded         | (terminal)      | (terminal)    | (terminal)      | (terminal)     | (terminal)
failed            | (terminal)      | (terminal)    | (terminal)      | (terminal)     | (terminal)
cancelled         | (terminal)      | (terminal)    | (terminal)      | (terminal)     | (terminal)
interrupted       | (terminal)      | (terminal)    | (terminal)      | (terminal)     | (terminal)
`,
  `
                  | post          | openRequest
queued            | (not_started) | (not_started)
queued, stopped   | (not_started) | (not_started)
queued, finishing | (settled)     | (settled)
queued, again     | (superseded)  | (superseded)
running           | message.sent  | request.opened
running, stopped  | message.sent  | (stopped)
blocked           | message.sent  | request.opened
blocked, stopped  | message.sent  | (stopped)
finishing         | (settled)     | (settled)
superseded        | (superseded)  | (superseded)
succeeded         | (terminal)    | (terminal)
failed            | (terminal)    | (terminal)
cancelled         | (terminal)    | (terminal)
interrupted       | (terminal)    | (terminal)
`,
  `
                  | lose             | reattach        | park        | deliver
queued            | task.interrupted | task.reattached | task.parked | task.succeeded
queued, stopped   | task.cancelled   | (stopped)       | (stopped)   | (stopped)
queued, finishing | task.cancelled   | (settled)       | (settled)   | (settled)
queued, again     | task.interrupted | task.reattached | task.parked | task.succeeded
running           | task.interrupted | task.reattached | task.parked | (already_started)
running, stopped  | task.cancelled   | (stopped)       | (stopped)   | (stopped)
blocked           | task.interrupted | task.reattached | task.parked | (already_started)
blocked, stopped  | task.cancelled   | (stopped)       | (stopped)   | (stopped)
finishing         | task.succeeded   | (settled)       | (settled)   | (settled)
superseded        | task.interrupted | task.reattached | task.parked | (already_started)
succeeded         | (terminal)       | (terminal)      | (terminal)  | (terminal)
failed            | (terminal)       | (terminal)      | (terminal)  | (terminal)
cancelled         | (terminal)       | (terminal)      | (terminal)  | (terminal)
interrupted       | (terminal)       | (terminal)      | (terminal)  | (terminal)
`,
  `
                  | close answered   | close rejected   | close expired   | close withdrawn
queued            | request.answered | request.rejected | request.expired | request.withdrawn
queued, stopped   | request.answered | request.rejected | request.expired | request.withdrawn
queued, finishing | request.answered | request.rejected | request.expired | request.withdrawn
queued, again     | request.answered | request.rejected | request.expired | request.withdrawn
running           | request.answered | request.rejected | request.expired | request.withdrawn
running, stopped  | request.answered | request.rejected | request.expired | request.withdrawn
blocked           | request.answered | request.rejected | request.expired | request.withdrawn
blocked, stopped  | request.answered | request.rejected | request.expired | request.withdrawn
finishing         | request.answered | request.rejected | request.expired | request.withdrawn
superseded        | request.answered | request.rejected | request.expired | request.withdrawn
succeeded         | (terminal)       | (terminal)       | (terminal)      | (terminal)
failed            | (terminal)       | (terminal)       | (terminal)      | (terminal)
cancelled         | (terminal)       | (terminal)       | (terminal)      | (terminal)
interrupted       | (terminal)       | (terminal)       | (terminal)      | (terminal)
`,
];

const CELLS = TABLES.flatMap(cellsOf);
const ALL = STATE_NAMES.flatMap((state) => COMMAND_NAMES.map((command) => ({ state, command })));
const expected = new Map(CELLS.map(([state, command, cell]) => [`${state} × ${command}`, cell]));

describe("every status × every command", () => {
  test("S8 is in the table, once", () => {
    expect(CELLS.map(([state, command]) => `${state} × ${command}`).toSorted()).toEqual(
      ALL.map(({ state, command }) => `${state} × ${command}`).toSorted(),
    );
    expect(new Set(Object.values(STATES).map((state) => state.status))).toEqual(new Set(TASK_STATUSES));
  });

  test.each(ALL)("$state × $command", ({ state, command }) => {
    expect(cellOf(decide(STATES[state], commandOf(command)))).toBe(expected.get(`${state} × ${command}`));
  });

  test("S8 gives the same answer to the same question, and changes neither", () => {
    for (const { state, command } of ALL) {
      // Both are frozen to their leaves: a write would throw.
      const [before, order] = [STATES[state], commandOf(command)];
      const decision = decide(before, order);
      expect(decide(before, order)).toEqual(decision);
      if (isRefusal(decision)) expect(Object.keys(decision)).toEqual(["refused"]);
      else for (const fact of decision) expect(evolve(before, fact, 9)).toEqual(evolve(before, fact, 9));
    }
  });

  test("says in the facts what the command said", () => {
    for (const { state, command } of ALL) {
      const { type, attempt, ...said } = { attempt: 1, ...commandOf(command) };
      const decision = decide(STATES[state], commandOf(command));
      if (isRefusal(decision) || type === "settle" || type === "end" || type === "lose") continue;
      // The attempt of a late end is not that of its task.
      const whose = type === "lateSettle" ? { attempt } : {};
      const told = type === "resume" ? {} : { ...said, ...whose };
      expect(decision).toEqual([{ ...told, type: decision[0]?.type }]);
    }
  });
});

// ── the laws ───────────────────────────────────────────────────────────────

const livingStates = STATE_NAMES.filter((name) => !isTerminal(STATES[name].status));
const terminalStates = STATE_NAMES.filter((name) => isTerminal(STATES[name].status));

describe("a terminal task", () => {
  test.each(terminalStates)("S1 stays %s whatever the command", (name) => {
    const before = STATES[name];
    for (const command of COMMAND_NAMES) {
      const decision = decide(before, commandOf(command));
      if (isRefusal(decision)) continue;
      const { status, ending, output, finishedAt, startedAt, stop: first } = evolveAll(before, decision, 9_999);
      expect({ status, ending, output, finishedAt, startedAt, stop: first }).toEqual({
        status: before.status,
        ending: before.ending,
        output: before.output,
        finishedAt: before.finishedAt,
        startedAt: before.startedAt,
        stop: before.stop,
      });
    }
  });

  test.each(terminalStates)("S1 may still be enriched from outside when %s", (name) => {
    const updated = play(STATES[name], { type: "update", patch: { summary: "read twice", tags: ["kept"] } });
    const filed = play(updated, commandOf("addArtifact"));
    expect(filed.details).toMatchObject({ summary: "read twice", tags: ["kept"], made: { artifact: { name: "a" } } });
  });

  test.each(terminalStates)("S6 accepts only updates, artifacts and a late end when %s", (name) => {
    const told = COMMAND_NAMES.map((command) => decide(STATES[name], commandOf(command)));
    const types = told.flatMap((decision) => (isRefusal(decision) ? [] : decision.map((fact) => fact.type)));
    expect(new Set(types)).toEqual(new Set(["task.updated", "artifact.added", "task.lateSettled"]));
  });
});

describe("the fence", () => {
  /** What only a function says: its command carries the attempt. `unstarted` is said of a function that never was, a late end of one that is over. */
  const writes = COMMAND_NAMES.filter(
    (name) => "attempt" in commandOf(name) && !name.startsWith("settle unstarted") && name !== "lateSettle",
  );

  test("S2 is on every write of a function", () => {
    expect(writes).toEqual([
      "block",
      "resume",
      "settle returned",
      "settle threw",
      "settle silent",
      "settle returned, again",
      "settle threw, again",
      "settle silent, again",
      "progress",
      "own update",
      "own addArtifact",
      "reportUsage",
      "emit",
      "post",
      "openRequest",
    ]);
  });

  test.each(livingStates)("S2 drops a write of an older or a later attempt whole: %s", (name) => {
    const before = STATES[name];
    for (const command of writes)
      for (const attempt of [before.attempt - 1, before.attempt + 1])
        expect(decide(before, commandOf(command, attempt))).toEqual({ refused: "superseded" });
  });

  test("S2 lets nothing through once the function has settled", () => {
    for (const command of writes) expect(cellOf(decide(STATES.finishing, commandOf(command)))).toBe("(settled)");
  });
});

describe("what a task emits", () => {
  const emitted = (payload: { readonly payload?: null }) =>
    decide(STATES.running, { type: "emit", attempt: 1, name: "page", ...payload });

  test("§8 has a payload only when one was given: `null` is one", () => {
    expect(emitted({})).toStrictEqual([{ type: "custom", name: "page" }]);
    expect(emitted({ payload: null })).toStrictEqual([{ type: "custom", name: "page", payload: null }]);
  });
});

describe("a stop", () => {
  test.each(STOP_REASONS)("S5 is kept when it is the first: %s", (first) => {
    const stopped = play(playAll(start), stop(first, "first"), 2_000);
    for (const second of STOP_REASONS) expect(decide(stopped, stop(second, "second"))).toEqual({ refused: "stopped" });
    expect(stopped.stop).toEqual({ code: first, reason: "first", at: 1_500 });
  });

  test("S5 comes too late for a function that has settled, whose outcome is final (H1)", () => {
    for (const reason of STOP_REASONS) expect(decide(STATES.finishing, stop(reason))).toEqual({ refused: "settled" });
    expect(play(STATES.finishing, { type: "end" }).status).toBe("succeeded");
  });

  test("C3 ends the waits of a blocked task, which stays without a slot until its function settles", () => {
    expect(STATES["blocked, stopped"]).toMatchObject({ status: "blocked", blockedOn: [] });
    expect(STATES["running, stopped"]).toMatchObject({ status: "running", blockedOn: [] });
  });
});

// ── what may be tried again, and what becomes of a dead process ────────────

const RETRIABLE_STOPS: readonly string[] = ["timeout", "stalled"];
const EVERY_END = Object.values(SETTLED);

describe("another attempt", () => {
  test("C1 is retriable for what a function threw, and for a timeout or a stall however the function ended", () => {
    for (const settled of EVERY_END) {
      const failure = retriable(STATES.running, settled, undefined);
      expect(failure).toBe(settled.how === "threw" ? settled.failure : undefined);
      for (const by of STOP_REASONS) {
        const code = retriable(playAll(start, stop(by)), settled, undefined)?.code;
        expect([by, settled.how, code]).toEqual([by, settled.how, RETRIABLE_STOPS.includes(by) ? by : undefined]);
      }
    }
  });

  test("C1 follows a failure that is retriable, and no other end", () => {
    for (const by of STOP_REASONS)
      for (const settled of [SETTLED.returned, SETTLED.threw]) {
        const decision = decide(playAll(start, stop(by)), settleAgain(settled));
        expect([by, cellOf(decision) === "task.retried"]).toEqual([by, RETRIABLE_STOPS.includes(by)]);
      }
  });

  test("C1 follows no attempt that never began", () => {
    for (const by of STOP_REASONS)
      expect(cellOf(decide(playAll(stop(by)), settleAgain(SETTLED.unstarted)))).toMatch(
        /^task\.(failed|cancelled|interrupted)$/,
      );
  });

  test("C2 of a function that is abandoned begins with that fact, and keeps the failure and the pause", () => {
    expect(decide(playAll(start, stop("timeout")), settleAgain(SETTLED.silent))).toEqual([
      { type: "task.abandoned" },
      {
        type: "task.retried",
        error: { code: "timeout", message: "ran for longer than its timeoutMs" },
        notBeforeAt: NOT_BEFORE_AT,
      },
    ]);
  });
});

describe("an abandoned function", () => {
  test.each(STOP_REASONS)("C2 is said in the outcome of a task that it leaves: %s", (by) => {
    for (const settled of [SETTLED.silent, SETTLED.threw]) {
      const { ending } = play(playAll(start, stop(by)), settle(settled));
      if (settled === SETTLED.silent) expect(ending).toHaveProperty("abandoned", true);
      else expect(ending).not.toHaveProperty("abandoned");
    }
  });
});

describe("a task whose process ended", () => {
  const DEAD = { instanceId: "i0", pid: 3, startedAt: 100 };
  const lostOf = (
    state: (typeof STATES)["queued"],
    more: { readonly process?: typeof DEAD; readonly attemptsUsed?: number } = {},
  ) => play(state, { type: "lose", process: undefined, ...more }).ending;

  test("D4 is interrupted, and names the process that ran it, before any other", () => {
    const outcome = { status: "interrupted", reason: "process_lost" };
    expect(lostOf(STATES.running)).toStrictEqual({ ...outcome, instanceId: "i1", pid: 7 });
    expect(lostOf(STATES.running, { process: DEAD })).toStrictEqual({ ...outcome, instanceId: "i1", pid: 7 });
    expect(lostOf(created, { process: DEAD })).toStrictEqual({ ...outcome, instanceId: "i0", pid: 3 });
    expect(lostOf(created)).toStrictEqual(outcome);
  });

  test("D4 says how many attempts are used up, when that is why it ends", () => {
    expect(lostOf(created, { attemptsUsed: 3 })).toHaveProperty("attemptsUsed", 3);
    expect(lostOf(created)).not.toHaveProperty("attemptsUsed");
  });

  test("D4 is stopped as it was asked to be before, and by a shutdown interrupted (D8)", () => {
    for (const by of STOP_REASONS) {
      const before = playAll(start, stop(by));
      expect([by, isStopped(before)]).toEqual([by, by !== "shutdown"]);
      const outcome = lostOf(before);
      if (by === "cancel") expect(outcome).toStrictEqual({ status: "cancelled", reason: "enough" });
      else if (by === "shutdown") expect(outcome).toMatchObject({ status: "interrupted", reason: "shutdown", pid: 7 });
      else expect(outcome).toMatchObject({ status: "failed", error: { code: by } });
    }
    expect(isStopped(STATES.running)).toBe(false);
  });

  test("D4 is resumed, parked or stopped here although the process that ended was shut down", () => {
    const shutDown = playAll(start, stop("shutdown"));
    const again = { ...stop("cancel"), isRestart: true };
    expect(cellOf(decide(shutDown, { type: "reattach", runtime: NEXT_RUNTIME }))).toBe("task.reattached");
    expect(cellOf(decide(shutDown, commandOf("park")))).toBe("task.parked");
    expect(cellOf(decide(shutDown, again))).toBe("task.cancelRequested");
    expect(cellOf(decide(shutDown, stop("cancel")))).toBe("(stopped)");
    expect(cellOf(decide(playAll(start, stop("cancel")), again))).toBe("(stopped)");
  });
});
