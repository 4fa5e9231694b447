// How a task ended: the rules that make its outcome (C1, H1, A4), and that no value, however made, breaks them.

import { describe, expect, test } from "vitest";
import type { Command } from "../../../lib/core/task/commands.js";
import { decide, isRefusal } from "../../../lib/core/task/decide.js";
import { toOutcome } from "../../../lib/core/task/ending.js";
import { RequestExpiredError, RequestRejectedError, TaskOutcomeError } from "../../../lib/core/task/errors.js";
import type { Fact } from "../../../lib/core/task/events.js";
import type { TaskOutcome } from "../../../lib/core/task/record.js";
import { returned, type Settled, threw } from "../../../lib/core/task/settled.js";
import type { TaskState } from "../../../lib/core/task/state.js";
import {
  cellOf,
  cellsOf,
  created,
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
} from "../../support/rules.js";

function factsOf(state: TaskState, command: Command): readonly Fact[] {
  const decision = decide(state, command);
  if (isRefusal(decision)) throw new Error(`${command.type} was refused: ${decision.refused}`);
  return decision;
}

/** The outcome that `settled` gives, whether its fact ends the task or waits for children. */
function outcomeOf(state: TaskState, settled: Settled): TaskOutcome {
  const { ending } = play(state, settle(settled));
  if (ending === undefined) throw new Error("no ending");
  return toOutcome(TASK_ID, ending, undefined);
}

describe("what stopped a task, and then what its function did, decide the outcome", () => {
  const WORDS = {
    timeout: "ran for longer than its timeoutMs",
    total_timeout: "was not over within its totalTimeoutMs",
    stalled:
      "gave no sign of life within its stallTimeoutMs: ctx.heartbeat() is one, so are progress, output and messages",
  };
  const TABLE = `
stopped by    | returned             | threw                | silent               | unstarted
nobody        | succeeded            | failed error         | (not_stopped)        | (not_stopped)
cancel        | succeeded            | cancelled enough     | cancelled enough     | cancelled enough
timeout       | failed timeout       | failed timeout       | failed timeout       | failed timeout
total_timeout | failed total_timeout | failed total_timeout | failed total_timeout | failed total_timeout
stalled       | failed stalled       | failed stalled       | failed stalled       | failed stalled
budget_exceeded | failed budget_exceeded | failed budget_exceeded | failed budget_exceeded | failed budget_exceeded
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
    expect(after.ending && toOutcome(TASK_ID, after.ending, undefined)).toMatchObject(
      status === "failed"
        ? { id: TASK_ID, status, error: { code } }
        : { id: TASK_ID, status, ...(code === undefined ? {} : { reason: code }) },
    );
  });

  test.each(["timeout", "total_timeout", "stalled"] as const)("C1 a %s says so in words", (reason) => {
    const outcome = outcomeOf(stoppedBy(reason, "threw"), SETTLED.threw);
    expect(outcome).toEqual({ id: TASK_ID, status: "failed", error: { code: reason, message: WORDS[reason] } });
    expect(outcome).toHaveProperty("error.cause", thrown);
  });

  test("C1 a rejection after a cancel is kept as the cause, also when it is `undefined`", () => {
    expect(outcomeOf(STATES["running, stopped"], SETTLED.threw)).toHaveProperty("cause", thrown);
    expect(outcomeOf(STATES["running, stopped"], threw(undefined))).toHaveProperty("cause", undefined);
    expect(outcomeOf(STATES["running, stopped"], SETTLED.silent)).not.toHaveProperty("cause");
  });

  test("C1 the value is the very one that was returned, and the record's copy of it is its own", () => {
    const value = { pages: [1] };
    const after = play(STATES.running, settle(returned(value)));
    expect(after.ending?.status === "succeeded" && after.ending.value === value).toBe(true);
    value.pages.push(2);
    expect(after.output).toEqual({ output: { pages: [1] } });
  });

  test.each(["timeout", "total_timeout", "stalled"] as const)(
    "C1 what a function returns after a %s is neither an output nor a cause",
    (reason) => {
      const after = play(stoppedBy(reason, "returned"), settle(returned("too late")));
      expect(after.output).toBeUndefined();
      expect(after).not.toHaveProperty("ending.error.cause");
    },
  );

  test("C1 an interrupted task names the process that ran it, if one did", () => {
    const interrupted = outcomeOf(playAll(start, stop("shutdown")), SETTLED.threw);
    expect(interrupted).toMatchObject({ instanceId: "i1", pid: 7 });
    expect(outcomeOf(playAll(stop("shutdown")), SETTLED.unstarted)).not.toHaveProperty("pid");
  });
});

describe("a task whose children live when it settles", () => {
  const ways = Object.keys(SETTLED) as readonly Settled["how"][];
  const settles = STATE_NAMES.flatMap((state) => ways.map((how) => ({ state, how })));
  const isLegal = ({ state, how }: (typeof settles)[number]): boolean =>
    !isRefusal(decide(STATES[state], settle(SETTLED[how])));

  test("H1 is refused what it is refused without them", () => {
    const refused = settles.filter((each) => !isLegal(each));
    for (const { state, how } of refused)
      expect(decide(STATES[state], settle(SETTLED[how], ["a", "b"]))).toEqual(
        decide(STATES[state], settle(SETTLED[how])),
      );
  });

  test.each(settles.filter(isLegal))("H1 waits with its outcome final: $state, $how", ({ state, how }) => {
    const before = STATES[state];
    const alone = factsOf(before, settle(SETTLED[how]));
    const withChildren = factsOf(before, settle(SETTLED[how], ["a", "b"]));
    // A task that never began cannot be `blocked`, which means that it has started (§1).
    const waits = before.status === "queued" ? [] : ["task.blocked"];
    const types = alone.flatMap(({ type }) => (isEnd(type) ? ["task.returned", ...waits] : [type]));
    expect(cellOf(withChildren)).toBe(types.join(" "));

    const waiting = evolveAll(before, withChildren, 3_000);
    const ended = evolveAll(before, alone, 3_000);
    expect(waiting).toMatchObject({ ending: ended.ending, output: ended.output, finishedAt: undefined });
    if (before.status !== "queued")
      expect(waiting).toMatchObject({ status: "blocked", blockedOn: [{ on: "children", taskIds: ["a", "b"] }] });
    // The end it comes to is the one it would have had at once.
    expect(factsOf(waiting, { type: "end" })).toEqual(alone.filter(({ type }) => isEnd(type)));
  });
});

describe("what a function throws", () => {
  const codeOf = (error: unknown): unknown => {
    const outcome = outcomeOf(STATES.running, threw(error));
    return outcome.status === "failed" ? outcome.error.code : outcome.status;
  };

  test("A4 fails as `rejected` only when it is a rejected or expired request let through", () => {
    const rejection = new RequestRejectedError("request_1", "no", "ada");
    expect(codeOf(rejection)).toBe("rejected");
    expect(codeOf(new RequestExpiredError("request_1"))).toBe("rejected");
    expect(codeOf(new Error("gave up", { cause: rejection }))).toBe("error");
    const child = { id: "task_2", status: "failed", error: threw(rejection).failure } as const;
    expect(codeOf(new TaskOutcomeError(child))).toBe("error");
    for (const other of [undefined, null, "REQUEST_REJECTED", 42, Symbol("no"), {}])
      expect(codeOf(other)).toBe("error");
  });

  test("A4 is one's own cancel, when one was asked for", () => {
    const error = new RequestRejectedError("request_1", "no", "ada");
    expect(outcomeOf(STATES["running, stopped"], threw(error)).status).toBe("cancelled");
  });

  test.each<[what: string, value: unknown, message: string]>([
    ["undefined", undefined, "undefined"],
    ["null", null, "null"],
    ["a string", "out of paper", "out of paper"],
    ["a number", 42, "42"],
    ["a symbol", Symbol("paper"), "Symbol(paper)"],
    ["an object", { tray: 2 }, '{"tray":2}'],
    ["an object without a prototype", Object.create(null), "{}"],
  ])("§12 is recorded faithfully when it is %s", (_what, value, message) => {
    const outcome = outcomeOf(STATES.running, threw(value));
    const content = typeof value === "object" && value !== null ? { causes: [{ message }] } : {};
    expect(outcome).toEqual({ id: TASK_ID, status: "failed", error: { code: "error", message, ...content } });
    expect(outcome).toHaveProperty("error.cause", value);
  });

  test("§12 is recorded with the name and the stack of an Error", () => {
    const error = new RangeError("page 9 of 8");
    const failure = threw(error).failure;
    expect(failure).toEqual({ code: "error", name: "RangeError", message: "page 9 of 8", stack: error.stack });
    expect(failure.cause).toBe(error);
  });

  test("§12 keeps the thrown value out of what is written: a cause that JSON cannot carry harms no record", () => {
    const error: Error & { self?: unknown } = new Error("x");
    error.self = error;
    expect(JSON.parse(JSON.stringify(threw(error).failure))).toMatchObject({ code: "error", message: "x" });
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
    const outcome = outcomeOf(STATES.running, threw(error));
    expect(outcome.status === "failed" && outcome.error.cause === error).toBe(true);
    expect(outcomeOf(STATES["running, stopped"], threw(error)).status).toBe("cancelled");
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
    const after = play(STATES.running, settle(returned(value)));
    expect(after.status).toBe("succeeded");
    expect(after.output).toEqual({ outputOmitted: expect.any(String) });
  });

  test("§12 an Error's message, name and stack that are no text do not get into the record", () => {
    const error = Object.assign(new Error("x"), { message: { tray: 2 }, name: 7, stack: [] });
    const failure = threw(error).failure;
    expect(Object.values(failure).map((value) => typeof value)).toEqual(Object.keys(failure).map(() => "string"));
    expect(failure.cause).toBe(error);
  });
});
