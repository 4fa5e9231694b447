// Kill -9: working processes are killed while they open, work, compact and close, and what they leave is looked at.
//
// One plan of kills is played, and each law is asked of what was seen; one that does not hold fails the playing itself, with the seed, the
// place of the kill and how to come there again. The long run is `npm run crash`.
import { appendFile, readdir, readFile, truncate } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type TaskEvent, TaskManager } from "errand";
import { fileStore } from "errand/stores/file";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { EVENT_TYPES, type TaskEventMap } from "../../lib/core/task/events.js";
import { pictureOf, place } from "../support/place.js";
import { Book } from "./book.js";
import { campaign, type Report } from "./campaign.js";
import { checkKilled, checkOpened } from "./check.js";
import { type Compiled, compiledWorker } from "./child.js";
import { POINTS } from "./points.js";
import { kindsThat } from "./setting.js";
import { shortened, type Told } from "./told.js";

const KILLS = 50;
const SEED = 20;

describe("a process that is killed while it works", () => {
  let compiled: Compiled;
  let report: Report;

  beforeAll(async () => {
    compiled = await compiledWorker(fileURLToPath(new URL("../../", import.meta.url)));
  });

  afterAll(async () => {
    await compiled.remove();
  });

  test(`loses nothing that was given out, leaves nothing twice, and its tasks go on or end, ${KILLS} times (D1, D2, D4, D6)`, async () => {
    report = await campaign({ compiled, kills: KILLS, seed: SEED });
    expect(report.kills).toBeGreaterThanOrEqual(KILLS);
  }, 600_000);

  test("was killed at every named point of append, rotate, snapshot, rename, unlink and lock", () => {
    const missed = POINTS.filter((name) => !report.atPoint.get(name));
    expect(missed).toEqual([]);
    expect(report.atRandom).toBeGreaterThanOrEqual(2);
  });

  test("leaves torn tails, each of them reported (D2)", () => {
    expect(report.torn).toBeGreaterThanOrEqual(4);
  });

  test("compacts again and again, and a kill in it leaves the old snapshot or the new (D6)", () => {
    expect(report.compactions).toBeGreaterThanOrEqual(8);
  });
});

// A check that never fails checks nothing: each law is broken here once.
describe("the check finds", () => {
  let directory: string;
  let told: Told[];
  let events: TaskEvent[];

  /** What a process has told that is killed now, and what it leaves. */
  beforeEach(async () => {
    const living = await place();
    const heard: Told[] = [{ told: "up" }];
    const manager = await TaskManager.open({
      store: fileStore(living),
      kinds: kindsThat(() => (ctx) => ctx.ask({ question: "May it?", key: "go" })),
    });
    for (const type of EVENT_TYPES as readonly (keyof TaskEventMap)[])
      manager.on(type, (event) => heard.push({ told: "event", event: shortened(event) }));
    const short = manager.spawn(async (ctx) => {
      await ctx.checkpoint({ done: 1 });
      ctx.reportUsage({ inputTokens: 2 });
      return "short";
    });
    heard.push({ told: "outcome", outcome: await short.outcome() });
    manager.spawn("asker", { id: "asker", input: { pages: 1 } });
    for await (const request of manager.inbox.watch()) {
      heard.push({ told: "asked", request });
      break;
    }
    heard.push({ told: "ran", id: "asker", attempt: 1 });
    heard.push({ told: "message", message: shortened(await short.cancel().then(() => sent(manager))) });
    directory = await pictureOf(living);
    told = [...heard];
    await manager.close({ graceMs: 0 });
    events = told.flatMap((each) => (each.told === "event" ? each.event : []));
  });

  async function sent(manager: TaskManager) {
    const message = await manager.get("asker")?.send("a note");
    if (message === undefined) throw new Error("There is no asker");
    return message;
  }

  function check(): Promise<unknown> {
    return checkKilled(directory, new Book(), told);
  }

  async function newest(): Promise<string> {
    const names = (await readdir(directory)).filter((name) => name.startsWith("events.")).sort();
    return path.join(directory, names.at(-1) ?? "");
  }

  /** Of the event of `seq`, as it is told. */
  function change(type: TaskEvent["type"], changes: object): void {
    told = told.map((each) =>
      each.told === "event" && each.event.type === type ? { ...each, event: { ...each.event, ...changes } } : each,
    );
  }

  test("nothing where all is well, and the next process goes on", async () => {
    const book = new Book();
    expect(await checkKilled(directory, book, told)).toMatchObject({ isTorn: false, tasks: 2 });
    await checkOpened(directory, book, false);
    expect(book.tasks.get("asker")).toMatchObject({ attempt: 2, end: undefined });
  });

  test("a batch that was reported and is gone (D1)", async () => {
    const file = await newest();
    const text = await readFile(file, "latin1");
    await truncate(file, text.lastIndexOf("\n", text.length - 2) + 1);
    await expect(check()).rejects.toThrow(/D1: .* was told, and the journal ends/);
  });

  test("an event that was reported otherwise than it is kept (D2)", async () => {
    change("usage.reported", { usage: { inputTokens: 3 } });
    await expect(check()).rejects.toThrow("D2");
  });

  test("an event that was reported twice, and not the same (D1)", async () => {
    const [first] = events;
    if (first !== undefined) told.push({ told: "event", event: { ...first, at: 1 } });
    await expect(check()).rejects.toThrow("D1: what was told");
  });

  test.each<[what: string, told: (taskId: string) => Told, breach: string]>([
    ["an outcome", (id) => ({ told: "outcome", outcome: { id, status: "succeeded", value: "long" } }), "D1"],
    [
      "an end that is not there",
      () => ({ told: "outcome", outcome: { id: "asker", status: "succeeded", value: 1 } }),
      "D1",
    ],
    ["a checkpoint", (id) => ({ told: "checkpoint", id, attempt: 1, value: { done: 2 } }), "D1"],
    ["an answer", () => ({ told: "answer", id: "asker", value: "yes" }), "D1"],
    ["a spawn", () => ({ told: "stored", id: "nobody" }), "D1"],
    ["a function that ran before its spawn was stored", () => ({ told: "ran", id: "nobody", attempt: 1 }), "L9"],
    ["an attempt that was never stored", () => ({ told: "ran", id: "asker", attempt: 2 }), "L9"],
    ["an attempt that ran twice", () => ({ told: "ran", id: "asker", attempt: 1 }), "D4"],
    ["a refusal of what is open", () => ({ told: "tooLate", requestId: requestId() }), "D1"],
  ])("%s that was reported and is not so", async (_what, tell, breach) => {
    told.push(tell(events[0]?.taskId ?? ""));
    await expect(check()).rejects.toThrow(breach);
  });

  function requestId(): string {
    return told.flatMap((each) => (each.told === "asked" ? each.request.id : []))[0] ?? "";
  }

  test("a torn end, where it begins and how long it is (D2)", async () => {
    await appendFile(await newest(), '{"type":"custom","seq":');
    const book = new Book();
    expect(await checkKilled(directory, book, told)).toMatchObject({ isTorn: true });
    await checkOpened(directory, book, true);
    expect(await checkKilled(directory, book, [])).toMatchObject({ isTorn: false });
  });

  test.each<[law: string, play: (book: Book) => void]>([
    ["D6", (book) => events.slice(1).forEach((event) => book.take(event))],
    ["D4", (book) => [0, 0].forEach((_, index) => take(book, 0, index + 1))],
    ["S6", (book) => [...events.keys(), indexOf("task.succeeded")].forEach((at, index) => take(book, at, index + 1))],
    ["A1", (book) => [...events.keys()].forEach((at, index) => take(book, at, index + 1, closedTwice(at)))],
    [
      "D4: .* message",
      (book) => [...events.keys(), indexOf("message.sent")].forEach((at, index) => take(book, at, index + 1)),
    ],
    ["S2", (book) => [...events.keys()].forEach((at, index) => take(book, at, index + 1, { attempt: 2 }))],
  ])("what breaks %s in a journal", (law, play) => {
    expect(() => play(new Book())).toThrow(new RegExp(law));
  });

  function take(book: Book, at: number, seq: number, changes: object = {}): void {
    const event = events[at];
    if (event !== undefined) book.take({ ...event, seq, ...(event.type === "task.created" ? {} : changes) });
  }

  function indexOf(type: TaskEvent["type"]): number {
    return events.findIndex((event) => event.type === type);
  }

  /** The opening becomes an answer of what was never open. */
  function closedTwice(at: number): object {
    return events[at]?.type === "request.opened" ? { type: "request.answered" } : {};
  }
});
