// The rules of DESIGN §1–§5 as a table: what each command comes to in each state, and the laws that hold over all of it.

import { describe, expect, test } from "vitest";
import type { Command, Settled } from "../../lib/core/commands.js";
import { decide, isRefusal, toFailure } from "../../lib/core/decide.js";
import { RequestExpiredError, RequestRejectedError, TaskOutcomeError } from "../../lib/core/errors.js";
import type { Fact } from "../../lib/core/events.js";
import { evolve } from "../../lib/core/evolve.js";
import type { TaskOutcome, TaskState } from "../../lib/core/record.js";
import { isTerminal, TASK_STATUSES } from "../../lib/core/status.js";
import {
  COMMAND_NAMES,
  cellOf,
  cellsOf,
  commandOf,
  created,
  deepFreeze,
  evolveAll,
  isEnd,
  play,
  playAll,
  SETTLED,
  STATE_NAMES,
  STATES,
  STOP_REASONS,
  settle,
  start,
  stop,
  TASK_ID,
  thrown,
} from "./rules.js";

// ── every state × every command ────────────────────────────────────────────
//
// A cell names the facts, or the refusal in parentheses. A stopped state was stopped by `cancel`; a finishing one has returned
// (queued: was cancelled before it began) and a child of it lives; in `superseded` attempt 2 runs and the command is of attempt 1.

const TABLES = [
  `
                  | start             | block           | resume         | stop
queued            | task.started      | (not_started)   | (not_started)  | task.cancelRequested
queued, stopped   | (stopped)         | (not_started)   | (not_started)  | (stopped)
queued, finishing | (stopped)         | (settled)       | (settled)      | (settled)
running           | (already_started) | task.blocked    | (not_blocked)  | task.cancelRequested
running, stopped  | (already_started) | (stopped)       | (stopped)      | (stopped)
blocked           | (already_started) | task.blocked    | task.resumed   | task.cancelRequested
blocked, stopped  | (already_started) | (stopped)       | (stopped)      | (stopped)
finishing         | (already_started) | (settled)       | (settled)      | (settled)
superseded        | (already_started) | (superseded)    | (superseded)   | task.cancelRequested
succeeded         | (terminal)        | (terminal)      | (terminal)     | (terminal)
failed            | (terminal)        | (terminal)      | (terminal)     | (terminal)
cancelled         | (terminal)        | (terminal)      | (terminal)     | (terminal)
interrupted       | (terminal)        | (terminal)      | (terminal)     | (terminal)
`,
  `
                  | settle returned   | settle threw    | settle silent                 | settle unstarted
queued            | (not_started)     | (not_started)   | (not_started)                 | (not_stopped)
queued, stopped   | (not_started)     | (not_started)   | (not_started)                 | task.cancelled
queued, finishing | (settled)         | (settled)       | (settled)                     | (settled)
running           | task.succeeded    | task.failed     | (not_stopped)                 | (already_started)
running, stopped  | task.succeeded    | task.cancelled  | task.abandoned task.cancelled | (already_started)
blocked           | task.succeeded    | task.failed     | (not_stopped)                 | (already_started)
blocked, stopped  | task.succeeded    | task.cancelled  | task.abandoned task.cancelled | (already_started)
finishing         | (settled)         | (settled)       | (settled)                     | (settled)
superseded        | (superseded)      | (superseded)    | (superseded)                  | (already_started)
succeeded         | (terminal)        | (terminal)      | (terminal)                    | (terminal)
failed            | (terminal)        | (terminal)      | (terminal)                    | (terminal)
cancelled         | (terminal)        | (terminal)      | (terminal)                    | (terminal)
interrupted       | (terminal)        | (terminal)      | (terminal)                    | (terminal)
`,
  `
                  | end               | lateSettle       | update           | addArtifact
queued            | (unsettled)       | (unsettled)      | task.updated     | artifact.added
queued, stopped   | (unsettled)       | (unsettled)      | task.updated     | artifact.added
queued, finishing | task.cancelled    | task.lateSettled | task.updated     | artifact.added
running           | (unsettled)       | (unsettled)      | task.updated     | artifact.added
running, stopped  | (unsettled)       | (unsettled)      | task.updated     | artifact.added
blocked           | (unsettled)       | (unsettled)      | task.updated     | artifact.added
blocked, stopped  | (unsettled)       | (unsettled)      | task.updated     | artifact.added
finishing         | task.succeeded    | task.lateSettled | task.updated     | artifact.added
superseded        | (unsettled)       | (unsettled)      | task.updated     | artifact.added
succeeded         | (terminal)        | task.lateSettled | task.updated     | artifact.added
failed            | (terminal)        | task.lateSettled | task.updated     | artifact.added
cancelled         | (terminal)        | task.lateSettled | task.updated     | artifact.added
interrupted       | (terminal)        | task.lateSettled | task.updated     | artifact.added
`,
  `
                  | progress         | own update       | own addArtifact  | reportUsage    | emit          | post
queued            | (not_started)    | (not_started)    | (not_started)    | (not_started)  | (not_started) | (not_started)
queued, stopped   | (not_started)    | (not_started)    | (not_started)    | (not_started)  | (not_started) | (not_started)
queued, finishing | (settled)        | (settled)        | (settled)        | (settled)      | (settled)     | (settled)
running           | task.progressed  | task.updated     | artifact.added   | usage.reported | custom        | message.sent
running, stopped  | task.progressed  | task.updated     | artifact.added   | usage.reported | custom        | message.sent
blocked           | task.progressed  | task.updated     | artifact.added   | usage.reported | custom        | message.sent
blocked, stopped  | task.progressed  | task.updated     | artifact.added   | usage.reported | custom        | message.sent
finishing         | (settled)        | (settled)        | (settled)        | (settled)      | (settled)     | (settled)
superseded        | (superseded)     | (superseded)     | (superseded)     | (superseded)   | (superseded)  | (superseded)
succeeded         | (terminal)       | (terminal)       | (terminal)       | (terminal)     | (terminal)    | (terminal)
failed            | (terminal)       | (terminal)       | (terminal)       | (terminal)     | (terminal)    | (terminal)
cancelled         | (terminal)       | (terminal)       | (terminal)       | (terminal)     | (terminal)    | (terminal)
interrupted       | (terminal)       | (terminal)       | (terminal)       | (terminal)     | (terminal)    | (terminal)
`,
  `
                  | send         | openRequest    | close answered   | close rejected   | close expired   | close withdrawn
queued            | message.sent | (not_started)  | request.answered | request.rejected | request.expired | request.withdrawn
queued, stopped   | message.sent | (not_started)  | request.answered | request.rejected | request.expired | request.withdrawn
queued, finishing | (settled)    | (settled)      | request.answered | request.rejected | request.expired | request.withdrawn
running           | message.sent | request.opened | request.answered | request.rejected | request.expired | request.withdrawn
running, stopped  | message.sent | (stopped)      | request.answered | request.rejected | request.expired | request.withdrawn
blocked           | message.sent | request.opened | request.answered | request.rejected | request.expired | request.withdrawn
blocked, stopped  | message.sent | (stopped)      | request.answered | request.rejected | request.expired | request.withdrawn
finishing         | (settled)    | (settled)      | request.answered | request.rejected | request.expired | request.withdrawn
superseded        | message.sent | (superseded)   | request.answered | request.rejected | request.expired | request.withdrawn
succeeded         | (terminal)   | (terminal)     | (terminal)       | (terminal)       | (terminal)      | (terminal)
failed            | (terminal)   | (terminal)     | (terminal)       | (terminal)       | (terminal)      | (terminal)
cancelled         | (terminal)   | (terminal)     | (terminal)       | (terminal)       | (terminal)      | (terminal)
interrupted       | (terminal)   | (terminal)     | (terminal)       | (terminal)       | (terminal)      | (terminal)
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
      const { type, attempt: _, ...said } = { attempt: 1, ...commandOf(command) };
      const decision = decide(STATES[state], commandOf(command));
      if (isRefusal(decision) || type === "settle" || type === "end") continue;
      const told =
        type === "stop" ? { stopReason: "timeout", reason: "timeout" } : type === "resume" ? {} : { ...said };
      expect(decision).toEqual([{ ...told, type: decision[0]?.type }]);
    }
  });
});

// ── the laws ───────────────────────────────────────────────────────────────

const livingStates = STATE_NAMES.filter((name) => !isTerminal(STATES[name].status));
const terminalStates = STATE_NAMES.filter((name) => isTerminal(STATES[name].status));

function factsOf(state: TaskState, command: Command): readonly Fact[] {
  const decision = decide(state, command);
  if (isRefusal(decision)) throw new Error(`${command.type} was refused: ${decision.refused}`);
  return decision;
}

/** The outcome that `settled` gives, whether its fact ends the task or waits for children. */
function outcomeOf(state: TaskState, settled: Settled): TaskOutcome {
  const { outcome } = play(state, settle(settled));
  if (outcome === undefined) throw new Error("no outcome");
  return outcome;
}

describe("a terminal task", () => {
  test.each(terminalStates)("S1 stays %s whatever it is told", (name) => {
    const before = STATES[name];
    for (const command of COMMAND_NAMES) {
      const decision = decide(before, commandOf(command));
      if (isRefusal(decision)) continue;
      const { status, outcome, output, finishedAt, startedAt, stop: first } = evolveAll(before, decision, 9_999);
      expect({ status, outcome, output, finishedAt, startedAt, stop: first }).toEqual({
        status: before.status,
        outcome: before.outcome,
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
    expect(filed.details).toMatchObject({ summary: "read twice", tags: ["kept"], artifacts: [{ name: "a" }] });
  });

  test.each(terminalStates)("S6 is told only of updates, artifacts and a late end when %s", (name) => {
    const told = COMMAND_NAMES.map((command) => decide(STATES[name], commandOf(command)));
    const types = told.flatMap((decision) => (isRefusal(decision) ? [] : decision.map((fact) => fact.type)));
    expect(new Set(types)).toEqual(new Set(["task.updated", "artifact.added", "task.lateSettled"]));
  });
});

describe("the fence", () => {
  /** What only a function says: its command carries the attempt. `unstarted` is said of a function that never was. */
  const writes = COMMAND_NAMES.filter((name) => "attempt" in commandOf(name) && name !== "settle unstarted");

  test("S2 is on every write of a function", () => {
    expect(writes).toEqual([
      "block",
      "resume",
      "settle returned",
      "settle threw",
      "settle silent",
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

describe("a stop", () => {
  test.each(STOP_REASONS)("S5 is kept when it is the first: %s", (first) => {
    const stopped = play(playAll(start), stop(first, "first"), 2_000);
    for (const second of STOP_REASONS) expect(decide(stopped, stop(second, "second"))).toEqual({ refused: "stopped" });
    expect(stopped.stop).toEqual({ reason: first, words: "first", at: 2_000 });
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

describe("what stopped a task, and then what its function did, decide the outcome", () => {
  const WORDS = {
    timeout: "ran for longer than its timeoutMs",
    total_timeout: "was not over within its totalTimeoutMs",
    stalled: "gave no sign of life within its stallTimeoutMs",
  };
  const TABLE = `
stopped by    | returned             | threw                | silent               | unstarted
nobody        | succeeded            | failed error         | (not_stopped)        | (not_stopped)
cancel        | succeeded            | cancelled enough     | cancelled enough     | cancelled enough
timeout       | failed timeout       | failed timeout       | failed timeout       | failed timeout
total_timeout | failed total_timeout | failed total_timeout | failed total_timeout | failed total_timeout
stalled       | failed stalled       | failed stalled       | failed stalled       | failed stalled
shutdown      | succeeded            | interrupted shutdown | interrupted shutdown | interrupted shutdown
`;
  const reasons = ["nobody", ...STOP_REASONS];
  const ways = Object.keys(SETTLED);

  test("C1 the table has every stop reason × every way to settle", () => {
    expect(cellsOf(TABLE).map(([by, how]) => `${by} × ${how}`)).toEqual(
      reasons.flatMap((by) => ways.map((how) => `${by} × ${how}`)),
    );
  });

  /** A task stopped by `by`, at the point of its life where it can settle in this way. */
  function stoppedBy(by: string, how: string): TaskState {
    const before = how === "unstarted" ? created : STATES.running;
    const reason = STOP_REASONS.find((each) => each === by);
    return reason === undefined ? before : play(before, stop(reason));
  }
  const wayOf = (how: string): Settled =>
    Object.values(SETTLED).find((settled) => settled.how === how) ?? SETTLED.silent;

  test.each(cellsOf(TABLE))("C1 stopped by %s, it %s: %s", (by, how, cell) => {
    const before = stoppedBy(by, how);
    const decision = decide(before, settle(wayOf(how)));
    if (isRefusal(decision)) {
      expect(`(${decision.refused})`).toBe(cell);
      return;
    }
    const after = evolveAll(before, decision, 3_000);
    const [status, code] = cell.split(" ");
    expect(after.status).toBe(status);
    expect(after.outcome).toMatchObject(
      status === "failed"
        ? { id: TASK_ID, status, error: { code } }
        : { id: TASK_ID, status, ...(code === undefined ? {} : { reason: code }) },
    );
  });

  test.each(["timeout", "total_timeout", "stalled"] as const)("C1 a %s says so in words", (reason) => {
    expect(outcomeOf(stoppedBy(reason, "threw"), SETTLED.threw)).toEqual({
      id: TASK_ID,
      status: "failed",
      error: { code: reason, message: WORDS[reason], cause: thrown },
    });
  });

  test("C1 a rejection after a cancel is kept as the cause, also when it is `undefined`", () => {
    expect(outcomeOf(STATES["running, stopped"], SETTLED.threw)).toHaveProperty("cause", thrown);
    expect(outcomeOf(STATES["running, stopped"], { how: "threw", error: undefined })).toHaveProperty(
      "cause",
      undefined,
    );
    expect(outcomeOf(STATES["running, stopped"], SETTLED.silent)).not.toHaveProperty("cause");
  });

  test("C1 the value is the very one that was returned, and the record's copy of it is its own", () => {
    const value = { pages: [1] };
    const after = play(STATES.running, settle({ how: "returned", value }));
    expect(after.outcome).toHaveProperty("value", value);
    expect(after.output).toEqual({ output: { pages: [1] } });
    expect(after.output).not.toHaveProperty("output", value);
  });

  test("C1 an interrupted task names the process that ran it, if one did", () => {
    expect(STATES.interrupted.outcome).toMatchObject({ instanceId: "i1", pid: 7 });
    expect(outcomeOf(playAll(stop("shutdown")), SETTLED.unstarted)).not.toHaveProperty("pid");
  });
});

describe("a task whose children live when it settles", () => {
  const settles = ALL.filter(({ command }) => command.startsWith("settle"));

  test.each(settles)("H1 $command in $state: `task.returned` instead of the end", ({ state, command }) => {
    const before = STATES[state];
    const alone = decide(before, commandOf(command));
    const withChildren = decide(before, deepFreeze({ ...commandOf(command), living: ["a", "b"] } as Command));
    if (isRefusal(alone)) {
      expect(withChildren).toEqual(alone);
      return;
    }
    // A task that never began has not started, so it cannot be `blocked` (§1).
    const waits = before.status === "queued" ? [] : ["task.blocked"];
    const types = alone.flatMap(({ type }) => (isEnd(type) ? ["task.returned", ...waits] : [type]));
    expect(cellOf(withChildren)).toBe(types.join(" "));

    const waiting = evolveAll(before, isRefusal(withChildren) ? [] : withChildren, 3_000);
    const ended = evolveAll(before, alone, 3_000);
    expect(waiting).toMatchObject({ outcome: ended.outcome, output: ended.output, finishedAt: undefined });
    if (before.status !== "queued")
      expect(waiting).toMatchObject({ status: "blocked", blockedOn: [{ on: "children", taskIds: ["a", "b"] }] });
    // The end it comes to is the one it would have had at once.
    expect(factsOf(waiting, { type: "end" })).toEqual(alone.filter(({ type }) => isEnd(type)));
  });
});

describe("what a function throws", () => {
  const codeOf = (error: unknown): unknown => {
    const outcome = outcomeOf(STATES.running, { how: "threw", error });
    return outcome.status === "failed" ? outcome.error.code : outcome.status;
  };

  test("A4 fails as `rejected` only when it is a rejected or expired request let through", () => {
    const rejection = new RequestRejectedError("request_1", "no", "ada");
    expect(codeOf(rejection)).toBe("rejected");
    expect(codeOf(new RequestExpiredError("request_1"))).toBe("rejected");
    expect(codeOf(new Error("gave up", { cause: rejection }))).toBe("error");
    const child = { id: "task_2", status: "failed", error: toFailure("rejected", rejection) } as const;
    expect(codeOf(new TaskOutcomeError(child))).toBe("error");
    for (const other of [undefined, null, "REQUEST_REJECTED", 42, Symbol("no"), {}]) expect(codeOf(other)).toBe("error");
  });

  test("A4 is one's own cancel, when one was asked for", () => {
    const error = new RequestRejectedError("request_1", "no", "ada");
    expect(outcomeOf(STATES["running, stopped"], { how: "threw", error }).status).toBe("cancelled");
  });

  test.each<[what: string, value: unknown, message: string]>([
    ["undefined", undefined, "undefined"],
    ["null", null, "null"],
    ["a string", "out of paper", "out of paper"],
    ["a number", 42, "42"],
    ["a symbol", Symbol("paper"), "Symbol(paper)"],
    ["an object", { tray: 2 }, "[object Object]"],
    ["an object without a prototype", Object.create(null), "[object Object]"],
  ])("§12 is recorded faithfully when it is %s", (_what, value, message) => {
    expect(outcomeOf(STATES.running, { how: "threw", error: value })).toEqual({
      id: TASK_ID,
      status: "failed",
      error: { code: "error", message, cause: value },
    });
  });

  test("§12 is recorded with the name and the stack of an Error", () => {
    const error = new RangeError("page 9 of 8");
    expect(toFailure("error", error)).toEqual({
      code: "error",
      name: "RangeError",
      message: "page 9 of 8",
      stack: error.stack,
      cause: error,
    });
  });
});

describe("a value made to break its reader", () => {
  const hostile = new Error("hostile");
  const fails = (): never => {
    throw hostile;
  };
  const revoked = (): object => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  };
  const throwing = (fields: PropertyDescriptorMap, on: object = {}): object => Object.defineProperties(on, fields);

  test.each<[what: string, error: unknown]>([
    ["an object whose toString throws", { toString: fails }],
    ["an object whose code throws", throwing({ code: { get: fails } })],
    ["an Error whose message throws", throwing({ message: { get: fails } }, new Error("x"))],
    ["an Error whose stack throws", throwing({ stack: { get: fails } }, new Error("x"))],
    ["an Error whose name throws", throwing({ name: { get: fails } }, new Error("x"))],
    ["a revoked proxy", revoked()],
  ])("S8 is no throw out of the rules when thrown: %s", (_what, error) => {
    const outcome = outcomeOf(STATES.running, { how: "threw", error });
    expect(outcome.status === "failed" && outcome.error.cause === error).toBe(true);
    expect(outcomeOf(STATES["running, stopped"], { how: "threw", error }).status).toBe("cancelled");
  });

  test.each<[what: string, value: unknown]>([
    ["an object whose field throws", throwing({ page: { get: fails, enumerable: true } })],
    [
      "an object whose field throws what cannot be printed",
      throwing({
        page: {
          enumerable: true,
          get: () => {
            throw Object.create(null);
          },
        },
      }),
    ],
    ["a revoked proxy", revoked()],
  ])("S8 is no throw out of the rules when returned: %s", (_what, value) => {
    const after = play(STATES.running, settle({ how: "returned", value }));
    expect(after.status).toBe("succeeded");
    expect(after.output).toEqual({ outputOmitted: expect.any(String) });
  });

  test("§12 a message that is no text is told as text", () => {
    const error = Object.assign(new Error("x"), { message: { tray: 2 }, name: 7 });
    const { message, name } = toFailure("error", error);
    expect([typeof message, typeof name]).toEqual(["string", "string"]);
  });
});
