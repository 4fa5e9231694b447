// Notices: what a loop pays to read and to acknowledge many notices of one task, and the notices of many tasks.
//
// The notices are custom events, the same number on both sides: all of one task, or one of each of many tasks. A loop reads batch after
// batch and acknowledges each. Reading and `ack` are measured apart. "Ends" is what most loops get: one notice for the end of each task,
// which one batch counts.
import { type Session, TaskManager } from "errand";
import { shuffled } from "./dice.js";
import { chosen, readFlags } from "./flags.js";
import { until } from "./gate.js";
import { check, clocks, settle, since } from "./interleave.js";
import { writeResults } from "./results.js";
import { quartiles, ratio, type Samples } from "./statistics.js";
import { print, short, spread, table } from "./table.js";
import { judge, told } from "./target.js";

interface Read {
  /** Microseconds of CPU for each notice. */
  readonly readUs: number;
  readonly ackUs: number;
  readonly batches: number;
}
interface Kind {
  readonly name: string;
  /** Spawns the tasks of `n` notices. */
  readonly spawn: (session: Session, n: number) => void;
}
const kinds: readonly Kind[] = [
  {
    name: "events of one task",
    spawn: (session, n) => {
      session.spawn(
        async (ctx) => {
          for (let emitted = 0; emitted < n; emitted += 1) ctx.emit("page", { page: emitted });
          await ctx.receive();
        },
        { wake: "onActivity" },
      );
    },
  },
  {
    name: "an event of each task",
    spawn: (session, n) => {
      for (let spawned = 0; spawned < n; spawned += 1) {
        session.spawn(
          async (ctx) => {
            ctx.emit("page", { page: spawned });
            await ctx.receive();
          },
          { wake: "onActivity" },
        );
      }
    },
  },
  {
    name: "the end of each task",
    spawn: (session, n) => {
      for (let spawned = 0; spawned < n; spawned += 1) session.spawn(async () => 1);
    },
  },
];

async function readAll({ name, spawn }: Kind, n: number): Promise<Read> {
  await settle("young");
  const manager = new TaskManager({ concurrency: 8, limits: { maxQueued: n } });
  let made = 0;
  for (const type of ["custom", "task.succeeded"] as const) {
    manager.on(type, () => {
      made += 1;
    });
  }
  const session = manager.session("loop");
  // A loop that has asked for its notices once is one that reads them.
  await session.nextNotices({ timeoutMs: 0 });
  spawn(session, n);
  await until(() => made === n);
  await settle("young");
  let read = 0;
  let acknowledged = 0;
  let batches = 0;
  for (let notices = 0; notices < n; batches += 1) {
    const beforeRead = clocks();
    const batch = await session.nextNotices({ timeoutMs: 0 });
    read += since(beforeRead).cpuUs;
    if (batch === undefined || batch.notices.length === 0) throw new Error(`${name}: ${notices} notices, not ${n}`);
    notices += batch.notices.length;
    const beforeAck = clocks();
    await batch.ack();
    acknowledged += since(beforeAck).cpuUs;
  }
  check(`${name}: notices left`, (await session.nextNotices({ timeoutMs: 0 }))?.notices.length ?? 0, 0);
  await manager.close();
  return { readUs: read / n, ackUs: acknowledged / n, batches };
}

const flags = readFlags({
  name: "notices",
  about: "Notices: N notices of one task, and of N tasks, read and acknowledged by a loop.",
  full: { sizes: [20_000], repeats: 7, warmups: 2 },
  quick: { sizes: [2_000], repeats: 2, warmups: 1 },
});
const n = flags.sizes[0] ?? 20_000;
const rows = chosen(kinds, flags).map((kind) => ({ kind, samples: [] as Read[] }));
for (let round = 0; round < flags.warmups + flags.repeats; round += 1) {
  for (const { kind, samples } of shuffled(rows, round + 1)) {
    const sample = await readAll(kind, n);
    if (round >= flags.warmups) samples.push(sample);
  }
}
const measured = rows.map(({ kind: { name }, samples }) => ({
  name,
  units: n,
  batches: samples[0]?.batches ?? 0,
  readUs: samples.map(({ readUs }) => readUs),
  ackUs: samples.map(({ ackUs }) => ackUs),
}));
const ackOf = (name: string): Samples | undefined => measured.find((one) => one.name === name)?.ackUs;
const target = judge(
  `ack of ${n} events of one task`,
  ratio(ackOf("events of one task"), ackOf("an event of each task"))?.median,
  { most: 1.5, unit: "× of as many tasks" },
);
const summary = measured.map(({ name, batches, readUs, ackUs }) => ({
  ...{ name, batches },
  readUs: quartiles(readUs),
  ackUs: quartiles(ackUs),
  target: name === "events of one task" ? target : undefined,
}));
print(`notices: CPU for each of ${n}, median [quartiles] of ${flags.repeats} rounds`);
print(
  table(
    ["case", "batches", "µs to read", "µs to ack", "target"],
    summary.map((row) => [row.name, short(row.batches), spread(row.readUs), spread(row.ackUs), told(row.target)]),
  ),
);
const { repeats, warmups } = flags;
const targets = target === undefined ? [] : [target];
await writeResults(flags.json, { bench: "notices", repeats, warmups, targets, summary, cases: measured });
