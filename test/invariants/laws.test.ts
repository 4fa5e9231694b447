// The laws themselves: each is seen to break when what it watches is wrong.

import type { TaskEvent } from "errand";
import { expect, test } from "vitest";
import { given } from "../support/program.js";
import { AT_EVERY_EVENT, WHEN_QUIET } from "./laws.js";
import { Play } from "./play.js";
import type { Rules, Step } from "./steps.js";
import { Told } from "./told.js";

const family: readonly Step[] = [
  { do: "spawn", task: "a", with: {} },
  { do: "spawn", task: "b", with: { by: "a" } },
  { do: "sleep", as: "w", ms: 5, with: { by: "a" } },
  { do: "advance", ms: 5 },
  { do: "cancel", as: "c", task: "a", with: {} },
];

async function eventsOf(rules: Rules, steps: readonly Step[]): Promise<readonly TaskEvent[]> {
  const play = new Play(rules);
  for (const step of steps) await play.step(step);
  return play.puppets.told;
}

/** The laws that break when these are the events. */
function brokenBy(events: readonly TaskEvent[], rules: Rules = {}): readonly string[] {
  const told = new Told();
  const broken = new Set<string>();
  for (const event of events) {
    const moment = { rules, told, event, before: told.tasks.get(event.taskId), previousSeq: told.seq };
    told.take(event);
    for (const [law, breach] of Object.entries(AT_EVERY_EVENT)) if (breach(moment) !== undefined) broken.add(law);
  }
  return [...broken];
}

const renumbered = (events: readonly TaskEvent[]): TaskEvent[] =>
  events.map((event, at) => ({ ...event, seq: at + 1 }));

test("no law breaks over the events of a family that ran and was cancelled", async () => {
  expect(brokenBy(await eventsOf({}, family))).toEqual([]);
});

test("an event left out breaks the law of seq", async () => {
  const events = await eventsOf({}, family);

  expect(brokenBy(events.filter(({ type }) => type !== "task.blocked"))).toEqual(["§2 seq is gapless"]);
});

test("a second end breaks S1 and S6", async () => {
  const events = await eventsOf({}, family);

  expect(brokenBy(renumbered([...events, given(events.at(-1))]))).toContain(
    "S1 terminal is final, S6 after the end little is reported",
  );
});

test("a parent that is reported to end before its child breaks H1", async () => {
  const events = await eventsOf({}, family);
  const own = events.filter(({ taskId }) => taskId === "task_1");
  const rest = events.filter(({ taskId }) => taskId !== "task_1");

  expect(brokenBy(renumbered([...own.slice(0, 2), ...rest.slice(0, 2), ...own.slice(2), ...rest.slice(2)]))).toContain(
    "H1 a task is not done before its attached children",
  );
});

test("a stop reported twice breaks S5, a spawn after it H3", async () => {
  const events = await eventsOf({}, family);
  const stop = given(events.find(({ type }) => type === "task.cancelRequested"));
  const spawn = given(events.find(({ type, taskId }) => type === "task.created" && taskId === "task_2"));

  expect(brokenBy(renumbered([...events.slice(0, 2), stop, stop, spawn]))).toEqual([
    "S5 only the first stop is reported",
    "H3 nothing is spawned under a task that was stopped or is over",
  ]);
});

test("more running tasks than slots break L1, more children than allowed H4", async () => {
  const events = await eventsOf({}, family);

  expect(brokenBy(events, { concurrency: 1, limits: { maxDepth: 0 } })).toEqual([
    "H4 no more depth, children or descendants than the limits",
    "L1 a lane runs no more than its concurrency",
  ]);
});

test("a record that no event tells of breaks the law of §2", async () => {
  const play = new Play({});
  for (const step of family.slice(0, 2)) await play.step(step);
  const { manager, told: events } = play.puppets;
  const told = new Told();
  for (const event of events.filter(({ type }) => type === "task.created")) told.take(event);
  const quiet = { rules: {}, told, manager, records: manager.list() };

  const broken = Object.entries(WHEN_QUIET).filter(([, breach]) => breach(quiet) !== undefined);

  expect(broken.map(([law]) => law)).toEqual([
    "§2 the events give the live record, S3 with its instants, S7 with its links and artifacts",
  ]);
});
