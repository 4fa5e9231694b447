// Spawn to done: what one task costs, from the call that starts it to everything awaited.
//
// errand in several settings, between a floor of bare promises and the same work composed by hand, on Effect and on
// effection. The jobs do nothing: what is measured is the orchestrator. Each run makes its own queue or manager, and throws
// if a task was not done or an event not heard.
//
// Two worlds, in this order: AsyncLocalStorage, which ambient lineage needs, makes every promise of a process dearer from
// its first use on (Node 20 and 22), also those of the peers. So first come those that need none, then everybody.
import { type TaskContext, TaskManager } from "errand";
import PQueue from "p-queue";
import { bare } from "./bare-schedulers.js";
import { ByHand, onPLimit, onPQueue, type Pool } from "./by-hand.js";
import { chosen, readFlags } from "./flags.js";
import { gate } from "./gate.js";
import { type Case, check, type HeapCase, interleave, type Measured, weigh } from "./interleave.js";
import { OnEffect } from "./on-effect.js";
import { OnEffection } from "./on-effection.js";
import type { Peer, PeerJob } from "./peer-records.js";
import { writeResults } from "./results.js";
import { quartiles, ratio } from "./statistics.js";
import { print, short, spread, table } from "./table.js";
import { type Judged, judge, type Target, told } from "./target.js";

const concurrency = 8;
const forms = ["ignores", "reads"] as const;
type Form = (typeof forms)[number];
const worlds = ["without AsyncLocalStorage", "with AsyncLocalStorage"] as const;
type World = (typeof worlds)[number];

const ignores = async (): Promise<number> => 1;
const peerJob: { readonly [F in Form]: PeerJob } = { ignores, reads: async (signal) => (signal.aborted ? 0 : 1) };
const errandJob: { readonly [F in Form]: (ctx: TaskContext) => Promise<number> } = {
  ignores,
  reads: async (ctx) => (ctx.signal.aborted ? 0 : 1),
};

interface PeerKind {
  readonly name: string;
  readonly make: () => Peer;
  /** What takes a hundred times as long does a tenth of the tasks. */
  readonly share: number;
}
const peers: readonly PeerKind[] = [
  { name: "by hand on p-queue", make: () => new ByHand(onPQueue(concurrency)), share: 1 },
  { name: "by hand on p-limit", make: () => new ByHand(onPLimit(concurrency)), share: 1 },
  { name: "on Effect", make: () => new OnEffect(concurrency), share: 1 },
  { name: "on effection", make: () => new OnEffection(concurrency), share: 0.1 },
];
function onPeer({ name, make, share }: PeerKind, form: Form, n: number): Case {
  const tasks = Math.ceil(n * share);
  return {
    name: `${name}, ${form}`,
    units: tasks,
    prepare: () => {
      const peer = make();
      const { events } = peer.records;
      const heard = { created: 0, started: 0, ended: 0 };
      events.on("task.created", () => {
        heard.created += 1;
      });
      events.on("task.started", () => {
        heard.started += 1;
      });
      events.on("task.ended", () => {
        heard.ended += 1;
      });
      let sum = 0;
      return {
        work: async () => {
          sum = await peer.runAll(peerJob[form], tasks);
        },
        finish: () => {
          check(name, sum, tasks);
          check(`${name}: events`, heard.created + heard.started + heard.ended, 3 * tasks);
        },
      };
    },
  };
}

interface Setting {
  readonly name: string;
  readonly listeners: boolean;
  readonly ambient: boolean;
  /** Results stay unread: the end is `idle()`, not `awaitTasks` of all handles. */
  readonly unread: boolean;
}
const settings: readonly Setting[] = [
  { name: "errand", listeners: true, ambient: true, unread: false },
  { name: "errand unread", listeners: true, ambient: true, unread: true },
  { name: "errand no listeners", listeners: false, ambient: true, unread: false },
  { name: "errand ambient off", listeners: true, ambient: false, unread: false },
];
function onErrand({ name, listeners, ambient, unread }: Setting, form: Form, n: number): Case {
  return {
    name: `${name}, ${form}`,
    units: n,
    prepare: () => {
      const manager = new TaskManager({ concurrency, ambient, limits: { maxQueued: n } });
      const heard = { created: 0, started: 0, succeeded: 0 };
      if (listeners) {
        manager.on("task.created", () => {
          heard.created += 1;
        });
        manager.on("task.started", () => {
          heard.started += 1;
        });
        manager.on("task.succeeded", () => {
          heard.succeeded += 1;
        });
      }
      let sum = 0;
      const job = errandJob[form];
      return {
        work: async () => {
          if (unread) {
            for (let spawned = 0; spawned < n; spawned += 1) manager.spawn(job);
            await manager.idle();
            return;
          }
          const handles = Array.from({ length: n }, () => manager.spawn(job));
          const { ended } = await manager.awaitTasks(handles);
          for (const outcome of ended) if (outcome.status === "succeeded") sum += outcome.value;
        },
        finish: async () => {
          if (!unread) check(name, sum, n);
          if (listeners) check(`${name}: events`, heard.created + heard.started + heard.succeeded, 3 * n);
          await manager.close();
        },
      };
    },
  };
}

function timedCases(world: World, n: number): Case[] {
  const here = settings.filter(({ ambient }) => !ambient || world === "with AsyncLocalStorage");
  return [
    bare("floor", n, concurrency),
    bare("p-queue", n, concurrency),
    ...forms.flatMap((form) => [
      ...peers.map((peer) => onPeer(peer, form, n)),
      ...here.map((setting) => onErrand(setting, form, n)),
    ]),
  ];
}

// ── heap ─────────────────────────────────────────────────────────────────

const states = ["queued", "running", "finished"] as const;
type State = (typeof states)[number];

/** Queued: behind one that stays. Running: all, on one promise they share. Finished: results unread, records kept. */
function slotsFor(state: State, n: number): number {
  return state === "queued" ? 1 : n;
}
function heapOfPQueue(state: State, n: number): HeapCase[] {
  if (state === "finished") return [];
  return [
    {
      name: `p-queue, ${state}`,
      units: n,
      build: async () => {
        const { closed, open } = gate();
        const queue = new PQueue({ concurrency: slotsFor(state, n) });
        const job = (): Promise<number> => closed;
        for (let added = 0; added < n; added += 1) void queue.add(job);
        return {
          held: queue,
          release: async () => {
            open();
            await queue.onIdle();
          },
        };
      },
    },
  ];
}
function heapByHand(name: string, pool: (concurrency: number) => Pool, state: State, n: number): HeapCase {
  return {
    name: `${name}, ${state}`,
    units: n,
    build: async () => {
      const { closed, open } = gate();
      const hand = new ByHand(pool(slotsFor(state, n)));
      const job = (): Promise<number> => closed;
      for (let spawned = 0; spawned < n; spawned += 1) hand.spawn(job);
      const ended = async (): Promise<void> => {
        open();
        for (const { done } of hand.tasks.values()) await done;
      };
      if (state === "finished") await ended();
      return { held: hand, release: ended };
    },
  };
}
function heapOfErrand(world: World, keepHandles: boolean, state: State, n: number): HeapCase {
  return {
    name: `${keepHandles ? "errand with handles" : "errand"}, ${state}`,
    units: n,
    build: async () => {
      const { closed, open } = gate();
      const manager = new TaskManager({
        concurrency: slotsFor(state, n),
        ambient: world === "with AsyncLocalStorage",
        limits: { maxQueued: n },
        retention: { maxFinished: n },
      });
      const job = (): Promise<number> => closed;
      const handles: unknown[] = [];
      for (let spawned = 0; spawned < n; spawned += 1) {
        const handle = manager.spawn(job);
        if (keepHandles) handles.push(handle);
      }
      if (state === "finished") {
        open();
        await manager.idle();
      }
      const release = async (): Promise<void> => {
        open();
        await manager.idle();
        await manager.close();
      };
      return { held: { manager, handles }, release };
    },
  };
}
function heapCases(world: World, n: number): HeapCase[] {
  return states.flatMap((state) => [
    ...heapOfPQueue(state, n),
    heapByHand("by hand on p-queue", onPQueue, state, n),
    heapByHand("by hand on p-limit", onPLimit, state, n),
    heapOfErrand(world, false, state, n),
    heapOfErrand(world, true, state, n),
  ]);
}
const heapTargets: { readonly [name: string]: Target } = {
  "errand, queued": { most: 500, stretch: 280, unit: "B" },
  "errand, running": { most: 1_000, stretch: 700, unit: "B" },
  "errand, finished": { most: 400, stretch: 200, unit: "B" },
};

// ── report ───────────────────────────────────────────────────────────────

type Against = Target & { readonly against: string };
const toPQueue: Against = { most: 0.7, stretch: 0.5, against: "p-queue", unit: "× p-queue" };
const toPQueueReading: Against = { most: 2, against: "p-queue", unit: "× p-queue" };
const targets: { readonly [name: string]: Against } = {
  "errand, ignores": toPQueue,
  "errand, reads": toPQueueReading,
  "errand ambient off, ignores": toPQueue,
  "errand ambient off, reads": toPQueueReading,
  "by hand on p-queue, ignores": { least: 6, stretch: 10, against: "errand, ignores", unit: "× errand" },
  "by hand on p-limit, ignores": { least: 3, stretch: 4, against: "errand, ignores", unit: "× errand" },
  "on Effect, ignores": { least: 6, against: "errand, ignores", unit: "× errand" },
  "on effection, ignores": { least: 40, against: "errand, ignores", unit: "× errand" },
};
function summarise(world: World, n: number, measured: readonly Measured[]) {
  const samples = (name: string) => measured.find((one) => one.name === name)?.cpuUs;
  return measured.map(({ name, units, cpuUs }) => {
    const target = targets[name];
    const against = target === undefined ? undefined : ratio(cpuUs, samples(target.against))?.median;
    return {
      name,
      tasks: units,
      cpuUs: quartiles(cpuUs),
      timesFloor: ratio(cpuUs, samples("floor")),
      timesPQueue: ratio(cpuUs, samples("p-queue")),
      target: judge(`${name}, ${n} tasks, ${world}`, against, target),
    };
  });
}

async function time(world: World, n: number) {
  // A compiler that has seen a hundred thousand tasks has seen enough, whatever they are cut into.
  const warmups = flags.warmups < 2 ? flags.warmups : Math.max(flags.warmups, Math.ceil(100_000 / n));
  const measured = await interleave(chosen(timedCases(world, n), flags), { repeats: flags.repeats, warmups });
  const summary = summarise(world, n, measured);
  print(`${n} tasks, ${world}: CPU per task, median [quartiles] of ${flags.repeats} rounds`);
  print(
    table(
      ["case", "tasks", "µs/task", "× floor", "× p-queue", "target"],
      summary.map((row) => [
        row.name,
        String(row.tasks),
        spread(row.cpuUs),
        short(row.timesFloor?.median),
        short(row.timesPQueue?.median),
        told(row.target),
      ]),
    ),
  );
  return { world, tasks: n, warmups, summary, cases: measured };
}
type Pass = Awaited<ReturnType<typeof time>>;

/** What AsyncLocalStorage costs each: medians of two passes that were not interleaved, so read them coarsely. */
function compare(withIt: Pass, without: Pass): void {
  print(`${withIt.tasks} tasks, with AsyncLocalStorage against without`);
  print(
    table(
      ["case", "without", "with", "×"],
      withIt.summary.flatMap(({ name, cpuUs: { median } }) => {
        const before = without.summary.find((row) => row.name === name)?.cpuUs.median;
        return before === undefined ? [] : [[name, short(before), short(median), short(median / before)]];
      }),
    ),
  );
}

async function weighAll(world: World, n: number) {
  const rounds = { repeats: Math.min(5, flags.repeats), warmups: Math.min(1, flags.warmups) };
  const weighed = await weigh(chosen(heapCases(world, n), flags), rounds);
  const cases = weighed.map((one) => {
    const bytesPerTask = quartiles(one.bytes);
    const target = judge(`heap, ${one.name}, ${world}`, bytesPerTask.median, heapTargets[one.name]);
    return { ...one, bytesPerTask, target };
  });
  if (cases.length > 0) {
    print(`${n} tasks, ${world}: heap per task`);
    print(
      table(
        ["case", "B/task", "target"],
        cases.map(({ name, bytesPerTask, target }) => [name, spread(bytesPerTask), told(target)]),
      ),
    );
  }
  return { world, tasks: n, cases };
}

const flags = readFlags({
  name: "spawn",
  about:
    "Spawn to done: errand between a floor of bare promises, bare p-queue, and the same work composed by hand, on Effect and on effection.",
  full: { sizes: [10_000, 100_000], repeats: 9, warmups: 2 },
  quick: { sizes: [1_000], repeats: 2, warmups: 1 },
});
if (globalThis.gc === undefined) print("heap is not measured, and times are less steady: both need --expose-gc");
const passes: Pass[] = [];
const heap = [];
for (const world of worlds) {
  for (const n of flags.sizes) passes.push(await time(world, n));
  heap.push(await weighAll(world, flags.sizes[0] ?? 10_000));
}
for (const tasks of flags.sizes) {
  const [without, withIt] = passes.filter((pass) => pass.tasks === tasks);
  if (withIt !== undefined && without !== undefined) compare(withIt, without);
}
const judged: readonly Judged[] = [
  ...passes.flatMap(({ summary }) => summary),
  ...heap.flatMap(({ cases }) => cases),
].flatMap(({ target }) => target ?? []);
await writeResults(flags.json, { bench: "spawn", concurrency, repeats: flags.repeats, targets: judged, passes, heap });
