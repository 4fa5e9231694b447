// Compact events: a `task.created` that was compacted and expanded is the same, whatever its record contains.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TaskEvent } from "../../../lib/core/task/events.js";
import type { TaskRecord } from "../../../lib/core/task/record.js";
import { compact, expand } from "../../../lib/stores/file/compact-event.js";

const AT = 1_000;
const plain: TaskRecord = {
  id: "task_1",
  status: "queued",
  attempt: 1,
  blockedOn: [],
  rootId: "task_1",
  depth: 0,
  detached: false,
  children: "await",
  lane: "default",
  priority: 0,
  wake: "silent",
  usage: { inputTokens: 0, outputTokens: 0, costUsd: 0, tasks: 1 },
  artifacts: [],
  links: {},
  tags: [],
  metadata: {},
  createdAt: AT,
  updatedAt: AT,
};

/** Returns each field with the value of a new task, or with another value. */
const record: fc.Arbitrary<TaskRecord> = fc
  .record(
    {
      id: fc.constantFrom("task_2", ""),
      status: fc.constantFrom("running", "succeeded"),
      attempt: fc.constantFrom(0, 2),
      blockedOn: fc.constant([{ on: "message" as const }]),
      rootId: fc.constantFrom("task_0", "task_2"),
      depth: fc.constantFrom(1, 7),
      detached: fc.constant(true),
      children: fc.constantFrom("cancel", "detach"),
      lane: fc.constantFrom("model", ""),
      laneKey: fc.constant("ada"),
      priority: fc.constantFrom(-1, 0.5),
      usage: fc.record({ inputTokens: fc.nat(1), outputTokens: fc.nat(1), costUsd: fc.nat(1), tasks: fc.nat(2) }),
      artifacts: fc.constant([{ name: "a", type: "text/plain", path: "a.txt" }]),
      links: fc.constant({ remoteTaskId: "r" }),
      tags: fc.constant(["page"]),
      metadata: fc.constantFrom({ a: null }, { ["__proto__x"]: 1 }),
      createdAt: fc.constantFrom(0, AT - 1),
      updatedAt: fc.constantFrom(0, AT + 1),
      name: fc.string(),
      input: fc.json().map((text): NonNullable<TaskRecord["input"]> => JSON.parse(text)),
      totalDeadlineAt: fc.nat(),
    },
    { requiredKeys: [] },
  )
  .map((changes) => ({ ...plain, ...changes }));

const created = (made: TaskRecord): TaskEvent => ({
  type: "task.created",
  seq: 1,
  at: AT,
  taskId: "task_1",
  attempt: 1,
  record: made,
});

describe("a task.created as its line has it", () => {
  test("comes back as it was", () => {
    fc.assert(
      fc.property(record, (made) => {
        expect(expand(JSON.parse(JSON.stringify(compact(created(made)))))).toEqual(created(made));
      }),
      { numRuns: 2_000 },
    );
  });

  test("says nothing of a record that is as every new one", () => {
    expect(compact(created(plain))).toEqual({ ...created(plain), record: {} });
  });

  test("leaves every other event, and what it is made of, alone", () => {
    const event = created(Object.freeze({ ...plain, priority: 3 }));
    compact(event);
    expect(event).toEqual(created({ ...plain, priority: 3 }));
    const resumed: TaskEvent = { type: "task.resumed", seq: 2, at: AT, taskId: "task_1", attempt: 1 };
    expect(compact(resumed)).toBe(resumed);
    expect(expand(resumed)).toBe(resumed);
  });
});
