// Journal: what it costs to keep events on a disk, and to open what was kept.
//
// The same events everywhere, 64 a commit: what a manager under load gives its store. The floor is the disk itself: the same bytes, one
// write and one fdatasync a commit. Rates are of the clock on the wall, because waiting for the disk is the point; CPU stands beside
// them. What the whole manager adds is measured against the same tasks in memory.
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type TaskEvent, TaskManager, type TaskStore } from "errand";
import { fileStore } from "errand/stores/file";
import Database from "libsql";
import { chosen, readFlags } from "./flags.js";
import { type Case, check, interleave } from "./interleave.js";
import { writeResults } from "./results.js";
import { quartiles, ratio, type Samples } from "./statistics.js";
import { print, short, spread, table } from "./table.js";
import { type Judged, judge, told } from "./target.js";

const flags = readFlags({
  name: "journal",
  about:
    "Journal: N events 64 a commit, the same tasks with and without a store, and opening journals of N / 10, N and 10 N events.",
  full: { sizes: [100_000], repeats: 7, warmups: 2 },
  quick: { sizes: [5_000], repeats: 2, warmups: 1 },
});
const n = flags.sizes[0] ?? 100_000;
const perCommit = 64;
/** One fdatasync each: a thousand say what a million would. */
const oneByOne = Math.min(n, 1_000);
const tasks = Math.ceil(n / 10);

// ── the same events ──────────────────────────────────────────────────────

const runtime = { instanceId: "k3v9x2aq", pid: 4242, startedAt: 1_790_000_000_000 };

/** A task's start and end, as a manager tells them: about 150 bytes each. */
function eventOf(seq: number): TaskEvent {
  const stamp = { seq, at: 1_790_000_000_000 + seq, taskId: `task_k3v9x2aq_${seq >> 1}`, attempt: 1 };
  return seq % 2 === 1
    ? { type: "task.started", ...stamp, runtime }
    : { type: "task.succeeded", ...stamp, output: { page: seq, words: "as many as fit" } };
}

function commitsOf(count: number): readonly (readonly TaskEvent[])[] {
  const commits: TaskEvent[][] = [];
  for (let seq = 1; seq <= count; seq += perCommit) {
    commits.push(Array.from({ length: Math.min(perCommit, count - seq + 1) }, (_, index) => eventOf(seq + index)));
  }
  return commits;
}
const commits = commitsOf(n);
const lines = (events: readonly TaskEvent[]): string => events.map((event) => `${JSON.stringify(event)}\n`).join("");

interface Disk {
  readonly folder: string;
  readonly gone: () => void;
}
function disk(): Disk {
  const folder = mkdtempSync(join(tmpdir(), "errand-bench-"));
  return { folder, gone: () => rmSync(folder, { recursive: true, force: true }) };
}

// ── events, kept ─────────────────────────────────────────────────────────

function rawDisk(): Case {
  return {
    name: "the disk: the same bytes, write + fdatasync",
    units: n,
    prepare: () => {
      const { folder, gone } = disk();
      const bytes = commits.map((events) => Buffer.from(lines(events)));
      const fd = openSync(join(folder, "events"), "w");
      return {
        work: () => {
          for (const commit of bytes) {
            writeSync(fd, commit);
            fdatasyncSync(fd);
          }
        },
        finish: () => {
          closeSync(fd);
          gone();
        },
      };
    },
  };
}
function stringified(): Case {
  return {
    name: "JSON.stringify alone",
    units: n,
    prepare: () => {
      let length = 0;
      return {
        work: () => {
          for (const events of commits) for (const event of events) length += JSON.stringify(event).length;
        },
        finish: () => check("JSON.stringify", Number(length > n), 1),
      };
    },
  };
}
function onFileStore(): Case {
  const name = "errand's file store";
  return {
    name,
    units: n,
    prepare: async () => {
      const { folder, gone } = disk();
      const store = fileStore(folder);
      await store.open(runtime);
      return {
        work: async () => {
          for (const events of commits) await store.append(events);
        },
        finish: async () => {
          await store.close();
          check(name, (await store.peek()).nextSeq, n + 1);
          gone();
        },
      };
    },
  };
}
function onSqlite(): Case {
  const name = "libsql, WAL, synchronous FULL, a transaction a commit";
  return {
    name,
    units: n,
    prepare: () => {
      const { folder, gone } = disk();
      const db = new Database(join(folder, "events.db"));
      db.exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE event (seq INTEGER PRIMARY KEY, data TEXT)",
      );
      const insert = db.prepare("INSERT INTO event VALUES (?, ?)");
      return {
        work: () => {
          for (const events of commits) {
            db.exec("BEGIN");
            for (const event of events) insert.run(event.seq, JSON.stringify(event));
            db.exec("COMMIT");
          }
        },
        finish: () => {
          db.close();
          gone();
        },
      };
    },
  };
}
function eachSynced(): Case {
  return {
    name: `write + fdatasync per event (first ${oneByOne})`,
    units: oneByOne,
    prepare: () => {
      const { folder, gone } = disk();
      const fd = openSync(join(folder, "events"), "w");
      return {
        work: () => {
          for (let seq = 1; seq <= oneByOne; seq += 1) {
            writeSync(fd, `${JSON.stringify(eventOf(seq))}\n`);
            fdatasyncSync(fd);
          }
        },
        finish: () => {
          closeSync(fd);
          gone();
        },
      };
    },
  };
}
function eachAppended(): Case {
  return {
    name: "fs.appendFileSync per event, not synced",
    units: n,
    prepare: () => {
      const { folder, gone } = disk();
      const file = join(folder, "events");
      return {
        work: () => {
          for (const events of commits) for (const event of events) appendFileSync(file, `${JSON.stringify(event)}\n`);
        },
        finish: gone,
      };
    },
  };
}

/** What a manager under load gives its store: 64 events a turn, and each commit takes all that came meanwhile. */
function onManager(): Case {
  const name = "a manager, 64 events a turn, errand's file store";
  return {
    name,
    units: n,
    prepare: async () => {
      const { folder, gone } = disk();
      const store = fileStore(folder);
      store.compact = async () => undefined;
      const manager = await TaskManager.open({ store });
      let told = 0;
      manager.on("custom", () => {
        told += 1;
      });
      const payload = { page: 1, words: "as many as fit into a hundred and fifty bytes" };
      return {
        work: async () => {
          const task = manager.spawn(async (ctx) => {
            for (let emitted = 0; emitted < n; emitted += 1) {
              if (emitted % perCommit === 0) await new Promise((resolve) => setImmediate(resolve));
              ctx.emit("page", payload);
            }
          });
          await task.result();
        },
        finish: async () => {
          check(name, told, n);
          await manager.close();
          gone();
        },
      };
    },
  };
}

// ── whole tasks ──────────────────────────────────────────────────────────

/** Nothing is kept: what is left is what the manager does for a store. */
function nowhere(): TaskStore {
  return {
    open: async () => ({ nextSeq: 1 }),
    peek: async () => ({ nextSeq: 1 }),
    append: async () => {},
    read: async function* () {},
    compact: async () => {},
    putOutput: async () => {},
    getOutput: async () => undefined,
    deleteOutputs: async () => {},
    close: async () => {},
  };
}
function wholeTasks(name: string, storeIn: ((folder: string) => TaskStore) | undefined): Case {
  return {
    name,
    units: tasks,
    prepare: async () => {
      const { folder, gone } = disk();
      const manager = await TaskManager.open({
        store: storeIn?.(folder),
        concurrency: 8,
        limits: { maxQueued: tasks },
      });
      let heard = 0;
      for (const type of ["task.created", "task.started", "task.succeeded"] as const) {
        manager.on(type, () => {
          heard += 1;
        });
      }
      let ended = 0;
      return {
        work: async () => {
          const handles = Array.from({ length: tasks }, () => manager.spawn(async () => 1));
          ended = (await manager.awaitTasks(handles)).ended.length;
        },
        finish: async () => {
          check(name, ended, tasks);
          check(`${name}: events`, heard, 3 * tasks);
          await manager.close();
          gone();
        },
      };
    },
  };
}

// ── report ───────────────────────────────────────────────────────────────

const inMemory = "tasks, in memory";
const toNowhere = "tasks, a store that keeps nothing";
const measured = await interleave(
  chosen(
    [
      rawDisk(),
      stringified(),
      onFileStore(),
      onManager(),
      onSqlite(),
      eachSynced(),
      eachAppended(),
      wholeTasks(inMemory, undefined),
      wholeTasks(toNowhere, nowhere),
      wholeTasks("tasks, errand's file store", fileStore),
    ],
    flags,
  ),
  flags,
);
const of = (name: string) => measured.find((one) => one.name === name);
const rate = (wallUs: Samples | undefined): Samples | undefined => wallUs?.map((us) => 1e6 / us);

function judgedOf(name: string): readonly Judged[] {
  const found: (Judged | undefined)[] = [];
  if (name === onManager().name) {
    const against = (peer: string) => ratio(rate(of(name)?.wallUs), rate(of(peer)?.wallUs))?.median;
    found.push(
      judge("durable events/s", against(stringified().name), { least: 0.5, unit: "× JSON.stringify alone" }),
      judge("durable events/s", against(onSqlite().name), { least: 3, unit: "× libsql, 64 a transaction" }),
    );
  }
  if (name === toNowhere) {
    const memory = of(inMemory)?.cpuUs;
    const added = of(name)?.cpuUs.map((us, round) => (us - (memory?.[round] ?? Number.NaN)) / 3);
    found.push(judge("CPU per event inside the core", added && quartiles(added).median, { most: 0.7, unit: "µs" }));
  }
  return found.flatMap((judged) => judged ?? []);
}
const summary = measured.map(({ name, units, cpuUs, wallUs }) => ({
  name,
  units,
  cpuUs: quartiles(cpuUs),
  wallUs: quartiles(wallUs),
  perSecond: quartiles(rate(wallUs) ?? []).median,
  targets: judgedOf(name),
}));
print(`journal: per event or task, median [quartiles] of ${flags.repeats} rounds`);
print(
  table(
    ["case", "units", "µs CPU", "µs wall", "a second", "target"],
    summary.map((row) => [
      row.name,
      String(row.units),
      spread(row.cpuUs),
      spread(row.wallUs),
      short(row.perSecond),
      row.targets.map(told).join("; "),
    ]),
  ),
);

// ── opening ──────────────────────────────────────────────────────────────

interface Opened {
  readonly events: number;
  readonly compacted: boolean;
  readonly bytesPerEvent: number;
  readonly open: Cost;
  /** Every line of the same files, read in pieces and parsed: no less can be done. */
  readonly parse: Cost;
}
interface Cost {
  readonly ms: number;
  readonly peakMb: number;
}

/** In a process of its own, which says how long it took and how much memory it had at most; the median of some. */
function inProcess(way: "open" | "parse", folder: string): Cost {
  const program = fileURLToPath(new URL("journal-open.js", import.meta.url));
  const costs = Array.from({ length: Math.min(5, flags.repeats) }, (): Cost => {
    return JSON.parse(execFileSync(process.execPath, [program, way, folder], { encoding: "utf8" }));
  });
  const median = (field: keyof Cost): number => quartiles(costs.map((cost) => cost[field])).median;
  return { ms: median("ms"), peakMb: median("peakMb") };
}
/** The journal of a manager that ran three events a task; compacted as it goes, or never. */
async function opening(events: number, compacted: boolean): Promise<Opened> {
  const { folder, gone } = disk();
  const store = fileStore(folder);
  const compact = store.compact.bind(store);
  store.compact = async (snapshot, seq) => (compacted ? compact(snapshot, seq) : undefined);
  const manager = await TaskManager.open({ store, concurrency: 8 });
  const inAll = Math.ceil(events / 3);
  for (let done = 0; done < inAll; done += 1_000) {
    const some = Array.from({ length: Math.min(1_000, inAll - done) }, () => manager.spawn(async () => 1));
    await manager.awaitTasks(some);
  }
  await manager.close();
  const files = readdirSync(folder).filter((name) => name.endsWith(".jsonl"));
  const bytes = files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  const opened = { open: inProcess("open", folder), parse: inProcess("parse", folder) };
  gone();
  return { events, compacted, bytesPerEvent: bytes / events, ...opened };
}

const opened: Opened[] = [];
if (flags.only === undefined) {
  for (const events of [n / 10, n, 10 * n]) {
    for (const compacted of [false, true]) opened.push(await opening(events, compacted));
  }
}
const largest = opened.filter(({ events }) => events === Math.max(...opened.map((one) => one.events)));
const whole = largest.find(({ compacted }) => !compacted);
const compactedOne = largest.find(({ compacted }) => compacted);
const openTargets = [
  judge("open, never compacted", whole && whole.open.ms / whole.parse.ms, { most: 1.3, unit: "× reading and parsing" }),
  judge("open, compacted", whole && compactedOne && compactedOne.open.ms / whole.parse.ms, {
    most: 0.3,
    unit: "× the same",
  }),
].flatMap((judged) => judged ?? []);
if (opened.length > 0) {
  print("opening a journal, in a process of its own: milliseconds and peak memory, medians");
  print(
    table(
      ["events told", "compacted", "B/event", "open ms", "peak MB", "parse ms", "peak MB"],
      opened.map((one) => [
        String(one.events),
        one.compacted ? "yes" : "never",
        one.compacted ? "" : short(one.bytesPerEvent),
        short(one.open.ms),
        short(one.open.peakMb),
        short(one.parse.ms),
        short(one.parse.peakMb),
      ]),
    ),
  );
  for (const target of openTargets) print(`${target.what}: ${told(target)}`);
}

const { repeats, warmups } = flags;
const targets = [...summary.flatMap((row) => row.targets), ...openTargets];
await writeResults(flags.json, { bench: "journal", repeats, warmups, targets, summary, cases: measured, opened });
