// Error messages: the message of each error says what happened, to what, and what to do next (§12).

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  defineKind,
  type ErrandError,
  type ErrandErrorCode,
  EventsCompactedError,
  JournalCorruptError,
  OutputLostError,
  TaskElsewhereError,
  viewStore,
} from "errand";
import { fileStore } from "errand/stores/file";
import { memoryStore } from "errand/testing";
import { describe, expect, test } from "vitest";
import { settled } from "../../support/basics.js";
import { deaf, errandError, given, rejected, untilStopped, world } from "../../support/program.js";

interface Case {
  /** Makes the error as a user meets it. */
  readonly make: () => ErrandError | Promise<ErrandError>;
  /** The subject: an id, a name, a place. */
  readonly subject: string | RegExp;
  /** The next step. */
  readonly next: string | RegExp;
}

/**
 * Codes whose message has no step. The message of TASK_OUTCOME becomes part of the failures of the tasks above, one
 * inside the other, so it ends with the reason of the failure, and that names what to repair.
 */
type WithoutStep = "TASK_OUTCOME";

const echo = defineKind({ name: "echo", run: (_ctx, text: string) => text });

const cases: Readonly<Record<Exclude<ErrandErrorCode, WithoutStep>, Case>> = {
  TASK_CANCELLED: {
    make: async () => {
      const { manager } = world();
      let thrown: unknown;
      const task = manager.spawn((ctx) => untilStopped(ctx).catch((error: unknown) => (thrown = error)), {
        id: "crawl",
      });
      await settled();
      await task.cancel("the user left");
      return errandError(thrown, "TASK_CANCELLED");
    },
    subject: "Task crawl was stopped: the user left",
    next: "Let this error through",
  },
  TASK_NOT_FOUND: {
    make: () => rejected(() => world().manager.awaitTasks(["absent"]), "TASK_NOT_FOUND"),
    subject: "There is no task absent",
    next: "Check the id, or keep records longer (retention)",
  },
  TASK_TERMINATED: {
    make: async () => {
      const task = world().manager.spawn(() => 1, { id: "done" });
      await task.result();
      return rejected(() => task.send("more"), "TASK_TERMINATED");
    },
    subject: "Task done is over: it takes no messages",
    next: "Spawn a new task",
  },
  TASK_ELSEWHERE: {
    make: () => new TaskElsewhereError("crawl", "in_2"),
    subject: "Task crawl is the work of another process of this store (instance in_2)",
    next: "send the message there",
  },
  AWAIT_CYCLE: {
    make: () => {
      const task = world().manager.spawn((ctx) => ctx.awaitTasks([ctx.id]), { id: "own" });
      return causeOf(task.result(), "AWAIT_CYCLE");
    },
    subject: "own waits for own",
    next: "Let one of them return first, or do not wait here",
  },
  QUEUE_FULL: {
    make: () => {
      const { manager } = world({ concurrency: 1, limits: { maxQueued: 0 } });
      manager.spawn(deaf);
      return rejected(() => manager.spawn(() => 1), "QUEUE_FULL");
    },
    subject: "0 tasks are in line already (limits.maxQueued)",
    next: "await manager.room(), or raise the limit",
  },
  LIMIT_EXCEEDED: {
    make: () => {
      const { manager } = world({ limits: { maxChildren: 0 } });
      return causeOf(manager.spawn((ctx) => ctx.spawn(() => 1).id, { id: "parent" }).result(), "LIMIT_EXCEEDED");
    },
    subject: "Task parent has 0 living children",
    next: "wait for one to end (limits.maxChildren is 0)",
  },
  SCOPE_CANCELLED: {
    make: async () => {
      const { manager } = world();
      const session = manager.session("chat");
      session.spawn(untilStopped);
      await settled();
      void session.cancelAll();
      return rejected(() => session.spawn(() => 1), "SCOPE_CANCELLED");
    },
    subject: "chat has been stopped: it spawns nothing until its tasks have ended",
    next: "new work needs another parent, or a session whose cancelAll() has resolved",
  },
  UNKNOWN_LANE: {
    make: () => rejected(() => world().manager.spawn(() => 1, { lane: "modell" }), "UNKNOWN_LANE"),
    subject: 'There is no lane "modell"',
    next: "Use one of them, or declare the lane in the option lanes",
  },
  UNKNOWN_KIND: {
    make: () => rejected(() => world().manager.spawn("crawl"), "UNKNOWN_KIND"),
    subject: 'There is no kind "crawl"',
    next: "pass the kind in the option kinds",
  },
  REQUEST_NOT_FOUND: {
    make: () => rejected(() => world().manager.inbox.answer("absent", "x", { by: "ann" }), "REQUEST_NOT_FOUND"),
    subject: "There is no request absent",
    next: "Check the id against inbox.list()",
  },
  ALREADY_ANSWERED: {
    make: async () => {
      const { manager, id } = await asked();
      await manager.inbox.answer(id, "x", { by: "ann" });
      return rejected(() => manager.inbox.answer(id, "y", { by: "bob" }), "ALREADY_ANSWERED");
    },
    subject: "Request request_1 is no longer open: answered by ann",
    next: "Leave it as it is",
  },
  INVALID_INPUT: {
    make: async () => {
      const { manager, id } = await asked();
      return rejected(() => manager.inbox.answer(id, 7, { by: "ann" }), "INVALID_INPUT");
    },
    subject: "The answer to request request_1 does not fit: a string is needed, got 7",
    next: "Correct this and call again",
  },
  ID_CONFLICT: {
    make: () => {
      const { manager } = world({ kinds: [echo] });
      manager.spawn(echo, { id: "page-1", input: "a" });
      return rejected(() => manager.spawn(echo, { id: "page-1", input: "b" }), "ID_CONFLICT");
    },
    subject: 'Task page-1 was spawned with the id "page-1" and other content',
    next: "use an id for each piece of work",
  },
  NAME_TAKEN: {
    make: () => {
      const { manager } = world();
      manager.spawn(deaf, { id: "first", name: "reader" });
      return rejected(() => manager.spawn(deaf, { name: "reader" }), "NAME_TAKEN");
    },
    subject: 'The name "reader" is taken by task first',
    next: "choose another name, or wait for its end",
  },
  RESERVED_NAME: {
    make: () => rejected(() => world().manager.spawn(deaf, { name: "parent" }), "RESERVED_NAME"),
    subject: 'The name "parent" is reserved',
    next: "choose another name",
  },
  REQUEST_REJECTED: {
    make: async () => {
      const { manager, id, result } = await asked();
      await manager.inbox.reject(id, "It is not merged.", { by: "ann" });
      return causeOf(result, "REQUEST_REJECTED");
    },
    subject: "Request request_1 was rejected by ann: It is not merged. ",
    next: "Go on without it, or ask something else",
  },
  REQUEST_EXPIRED: {
    make: async () => {
      const { result, pass } = await asked();
      await pass(1_000);
      return causeOf(result, "REQUEST_EXPIRED");
    },
    subject: "Request request_1 expired",
    next: "Ask again with a longer timeoutMs, or set onTimeout",
  },
  MANAGER_CLOSED: {
    make: async () => {
      const { manager } = world();
      await manager.close();
      return rejected(() => manager.spawn(() => 1), "MANAGER_CLOSED");
    },
    subject: "The manager is closed: it spawns nothing",
    next: "Make this call before close(), or on another manager",
  },
  STORE_LOCKED: {
    make: async () => {
      const { runtime } = world().manager;
      const store = memoryStore();
      await store.open(runtime);
      return rejected(() => store.open(runtime), "STORE_LOCKED");
    },
    subject: "The store in memory is open in this process",
    next: "close it there, or use another store",
  },
  STORE_UNAVAILABLE: {
    make: async () => {
      const folder = await mkdtemp(join(tmpdir(), "errand-messages-"));
      try {
        return await rejected(() => viewStore(fileStore(join(folder, "absent"))), "STORE_UNAVAILABLE");
      } finally {
        await rm(folder, { recursive: true });
      }
    },
    subject: /^The store is not available: there is no .*absent/,
    next: "check the path",
  },
  JOURNAL_CORRUPT: {
    make: () => new JournalCorruptError("journal/1.log", 3, 120, "its content does not fit its checksum"),
    subject: "The journal is broken at journal/1.log:3, byte 120: its content does not fit its checksum",
    next: "restore it from a copy, or move it away and begin a new one",
  },
  OUTPUT_LOST: {
    make: () => new OutputLostError("crawl", "results/1.json", "there is no such file"),
    subject: "The output of task crawl is lost: results/1.json",
    next: "Put it back and open the store again, or spawn the work again with another id",
  },
  EVENTS_COMPACTED: {
    make: () => new EventsCompactedError(5, 100),
    subject: "Event 5 is no longer kept",
    next: "read again from 100",
  },
};

/** A manager with one open question, which expires after a second. */
async function asked() {
  const { manager, pass } = world();
  const task = manager.spawn((ctx) => ctx.ask({ question: "Which?", timeoutMs: 1_000 }));
  const result = task.result();
  result.catch(() => undefined);
  await settled();
  const { id } = given(manager.inbox.list()[0]);
  return { manager, pass, id, result };
}

/** The error with which the function of a failed task rejected. */
async function causeOf<C extends ErrandErrorCode>(result: Promise<unknown>, code: C): Promise<ErrandError> {
  return errandError((await rejected(() => result, "TASK_OUTCOME")).cause, code);
}

describe("§12 the message of an error names its subject and the next step", () => {
  test.each(Object.entries(cases))("%s", async (code, { make, subject, next }) => {
    const error = await make();
    expect(error.code).toBe(code);
    expect(error.message).toMatch(subject);
    expect(error.message).toMatch(next);
  });
});
