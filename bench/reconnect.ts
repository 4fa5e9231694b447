// Reconnect: what it costs when a page that follows a manager's events comes back and asks for what it missed.
//
// A page reads `events({ from })`, leaves, and comes back with the `seq` after its last event, again and again; each time it has missed
// a few. One page at a time, so the figure is that of one reconnect. "After a restart" the events that it missed are those of an earlier
// process, so that they are in the store alone. "In the same process" the manager has them in memory, with a store and without one.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TaskEvent, TaskManager } from "errand";
import { fileStore } from "errand/stores/file";
import { chosen, readFlags } from "./flags.js";
import { type Case, check, interleave } from "./interleave.js";
import { writeResults } from "./results.js";
import { quartiles } from "./statistics.js";
import { print, spread, table } from "./table.js";
import { judge, told } from "./target.js";

/** Reconnects in a run. */
const times = 50;
/** Events that the page misses each time. */
const missed = 3;

/** Reads `count` events from `from` on, and leaves; the last one. */
async function follow(manager: TaskManager, from: number, count: number): Promise<TaskEvent> {
  let left = count;
  for await (const event of manager.events({ from })) {
    left -= 1;
    if (left === 0) return event;
  }
  throw new Error(`the stream ended ${left} events before its time`);
}

/** Three events each: created, started and succeeded. Returns the `seq` of the last. */
async function work(manager: TaskManager, events: number): Promise<number> {
  let seq = 0;
  const off = manager.on("task.succeeded", (event) => {
    seq = event.seq;
  });
  for (let left = Math.ceil(events / 3); left > 0; left -= 100) {
    const some = Array.from({ length: Math.min(left, 100) }, () => manager.spawn(async () => 1));
    await manager.awaitTasks(some);
  }
  off();
  return seq;
}

type Place = "after a restart, a file store" | "in the same process, a file store" | "in the same process, no store";

function reconnects(place: Place, kept: number): Case {
  return {
    name: place,
    units: times,
    prepare: async () => {
      const folder = mkdtempSync(join(tmpdir(), "errand-reconnect-"));
      const open = (): Promise<TaskManager> =>
        place === "in the same process, no store"
          ? Promise.resolve(new TaskManager())
          : TaskManager.open({ store: fileStore(folder) });
      let manager = await open();
      // In memory, events are kept from the first reader on.
      const first = manager.events({ from: "now" })[Symbol.asyncIterator]();
      const begun = first.next();
      const last = await work(manager, kept);
      await begun;
      await first.return?.();
      if (place === "after a restart, a file store") {
        await manager.close();
        manager = await open();
      }
      let read = 0;
      return {
        work: async () => {
          for (let time = 0; time < times; time += 1) {
            const newest = await follow(manager, last - missed + 1, missed);
            if (newest.seq === last) read += missed;
          }
        },
        finish: async () => {
          check(place, read, times * missed);
          await manager.close();
          rmSync(folder, { recursive: true, force: true });
        },
      };
    },
  };
}

const flags = readFlags({
  name: "reconnect",
  about:
    "Reconnect: a page that follows the events of a manager with a file store comes back, N events in the journal.",
  full: { sizes: [9_000], repeats: 7, warmups: 2 },
  quick: { sizes: [1_500], repeats: 2, warmups: 1 },
});
const n = flags.sizes[0] ?? 9_000;
const judgedPlace: Place = "after a restart, a file store";
const places: readonly Place[] = [judgedPlace, "in the same process, a file store", "in the same process, no store"];
const cases = places.map((place) => reconnects(place, n));
const measured = await interleave(chosen(cases, flags), flags);
const summary = measured.map(({ name, cpuUs, wallUs }) => {
  const cpuMs = quartiles(cpuUs.map((us) => us / 1_000));
  const wallMs = quartiles(wallUs.map((us) => us / 1_000));
  const target = name === judgedPlace ? { most: 0.5, unit: "ms CPU" } : undefined;
  return { name, cpuMs, wallMs, target: judge(`a page reconnects, ${name}`, cpuMs.median, target) };
});
print(`reconnect: milliseconds each, ${n} events kept, median [quartiles] of ${flags.repeats} rounds`);
print(
  table(
    ["case", "ms CPU", "ms wall", "target"],
    summary.map((row) => [row.name, spread(row.cpuMs), spread(row.wallMs), told(row.target)]),
  ),
);
const { repeats, warmups } = flags;
const targets = summary.flatMap(({ target }) => target ?? []);
await writeResults(flags.json, { bench: "reconnect", repeats, warmups, targets, summary, cases: measured });
