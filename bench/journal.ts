// Journal: what it costs to keep events on a disk, and to open what was kept.
//
// The same events everywhere, in commits of 64, 256 and 1 024 (journal-cases.ts). The floor is the disk itself: the same bytes, one write
// and one fdatasync a commit. Rates are of the clock on the wall, because waiting for the disk is the point; CPU stands beside them. What
// the whole manager adds is measured against the same tasks in memory.
import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TaskManager } from "errand";
import { fileStore } from "errand/stores/file";
import { chosen, readFlags } from "./flags.js";
import { interleave } from "./interleave.js";
import {
  commitSizes,
  disk,
  eachAppended,
  eachSynced,
  nowhere,
  onFileStore,
  onManager,
  onSqlite,
  rawDisk,
  stringified,
  wholeTasks,
} from "./journal-cases.js";
import { writeResults } from "./results.js";
import { quartiles, ratio, type Samples } from "./statistics.js";
import { print, short, spread, table } from "./table.js";
import { type Judged, judge, told } from "./target.js";

const flags = readFlags({
  name: "journal",
  about:
    "Journal: N events in commits of three sizes, the same tasks with and without a store, and opening journals of N / 10, N and 10 N events.",
  full: { sizes: [100_000], repeats: 7, warmups: 2 },
  quick: { sizes: [5_000], repeats: 2, warmups: 1 },
});
const n = flags.sizes[0] ?? 100_000;
const tasks = Math.ceil(n / 10);

// ── report ───────────────────────────────────────────────────────────────

const inMemory = "tasks, in memory";
const toNowhere = "tasks, a store that keeps nothing";
const measured = await interleave(
  chosen(
    [
      ...commitSizes.flatMap((size) => [rawDisk(n, size), onFileStore(n, size), onManager(n, size)]),
      stringified(n),
      onSqlite(n),
      eachSynced(n),
      eachAppended(n),
      wholeTasks(inMemory, tasks, undefined),
      wholeTasks(toNowhere, tasks, nowhere),
      wholeTasks("tasks, errand's file store", tasks, fileStore),
    ],
    flags,
  ),
  flags,
);
const of = (name: string) => measured.find((one) => one.name === name);
const rate = (wallUs: Samples | undefined): Samples | undefined => wallUs?.map((us) => 1e6 / us);

/** Events a second, as a multiple of the disk's at the same commit size. */
function timesDisk(name: string, wallUs: Samples): number | undefined {
  const size = commitSizes.find((one) => [onFileStore(n, one).name, onManager(n, one).name].includes(name));
  return size && ratio(rate(wallUs), rate(of(rawDisk(n, size).name)?.wallUs))?.median;
}
function judgedOf(name: string): readonly Judged[] {
  const found: (Judged | undefined)[] = [];
  const size = commitSizes.find((one) => onManager(n, one).name === name);
  if (size !== undefined) {
    const times = timesDisk(name, of(name)?.wallUs ?? []);
    found.push(judge(`durable events/s, ${size} a turn`, times, { least: 0.9, unit: "× the disk, as many a commit" }));
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
  timesDisk: timesDisk(name, wallUs),
  targets: judgedOf(name),
}));
print(`journal: per event or task, median [quartiles] of ${flags.repeats} rounds`);
print(
  table(
    ["case", "units", "µs CPU", "µs wall", "a second", "× disk", "target"],
    summary.map((row) => [
      row.name,
      String(row.units),
      spread(row.cpuUs),
      spread(row.wallUs),
      short(row.perSecond),
      short(row.timesDisk),
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
    for (const compacted of [false, true]) {
      process.stderr.write(`opening a journal of ${events} events, ${compacted ? "" : "never "}compacted\n`);
      opened.push(await opening(events, compacted));
    }
  }
}
const largest = opened.filter(({ events }) => events === Math.max(...opened.map((one) => one.events)));
const whole = largest.find(({ compacted }) => !compacted);
const compactedOne = largest.find(({ compacted }) => compacted);
const openTargets = [
  judge("open, never compacted", whole && whole.open.ms / whole.parse.ms, { most: 2, unit: "× reading and parsing" }),
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
