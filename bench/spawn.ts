// Spawn to done: what one task costs, from the call that starts it to everything awaited.
//
// errand in several settings, between a floor of bare promises and the same work composed by hand. The jobs do nothing:
// what is measured is the orchestrator. Each run makes its own queue or manager, and throws if a task was not done.
//
// Two worlds, in this order: AsyncLocalStorage, which ambient lineage needs, makes every promise of a process dearer from
// its first use on (Node 20 and 22), also those of the peers. So first come those that need none, then everybody.
import { type TaskContext, TaskManager } from "errand";
import PQueue from "p-queue";
import { ByHand, onPLimit, onPQueue, type Pool } from "./by-hand.js";
import {
  type Case,
  chosen,
  type HeapCase,
  interleave,
  type Measured,
  print,
  quartiles,
  ratio,
  readFlags,
  short,
  spread,
  type Target,
  table,
  verdict,
  weigh,
  writeResults,
} from "./interleave.js";

const concurrency = 8;
const forms = ["ignores", "reads"] as const;
type Form = (typeof forms)[number];
const worlds = ["without AsyncLocalStorage", "with AsyncLocalStorage"] as const;
type World = (typeof worlds)[number];

type Job<G> = { readonly [F in Form]: (given: G) => Promise<number> };
const bare = async (): Promise<number> => 1;
const handJob: Job<AbortSignal> = { ignores: bare, reads: async (signal) => (signal.aborted ? 0 : 1) };
const errandJob: Job<TaskContext> = { ignores: bare, reads: async (ctx) => (ctx.signal.aborted ? 0 : 1) };

function check(what: string, found: number, expected: number): void {
  if (found !== expected) throw new Error(`${what}: ${found}, not ${expected}`);
}

interface Entry {
  readonly job: () => Promise<number>;
  readonly resolve: (value: number) => void;
  readonly reject: (error: unknown) => void;
}
/** 8 loops over a ring of jobs, a promise each: no record, no event, no token. Less gives no result per job. */
function floor(n: number): Case {
  return {
    name: "floor",
    units: n,
    prepare: () => {
      let sum = 0;
      return {
        work: async () => {
          const ring: Entry[] = [];
          const results = Array.from(
            { length: n },
            () =>
              new Promise<number>((resolve, reject) => {
                ring.push({ job: bare, resolve, reject });
              }),
          );
          let next = 0;
          const loop = async (): Promise<void> => {
            for (let entry = ring[next++]; entry !== undefined; entry = ring[next++]) {
              try {
                entry.resolve(await entry.job());
              } catch (error) {
                entry.reject(error);
              }
            }
          };
          for (let started = 0; started < concurrency; started += 1) void loop();
          for (const value of await Promise.all(results)) sum += value;
        },
        finish: () => check("floor", sum, n),
      };
    },
  };
}

function barePQueue(n: number): Case {
  return {
    name: "p-queue",
    units: n,
    prepare: () => {
      const queue = new PQueue({ concurrency });
      let sum = 0;
      return {
        work: async () => {
          const results = Array.from({ length: n }, () => queue.add(bare));
          for (const value of await Promise.all(results)) sum += value;
        },
        finish: () => check("p-queue", sum, n),
      };
    },
  };
}

function byHand(name: string, pool: (concurrency: number) => Pool, form: Form, n: number): Case {
  return {
    name: `${name}, ${form}`,
    units: n,
    prepare: () => {
      const hand = new ByHand(pool(concurrency));
      const heard = { created: 0, started: 0, ended: 0 };
      hand.events.on("task.created", () => {
        heard.created += 1;
      });
      hand.events.on("task.started", () => {
        heard.started += 1;
      });
      hand.events.on("task.ended", () => {
        heard.ended += 1;
      });
      let sum = 0;
      return {
        work: async () => {
          const tasks = Array.from({ length: n }, () => hand.spawn(handJob[form]));
          for (const value of await Promise.all(tasks.map((task) => task.done))) sum += value;
        },
        finish: () => {
          check(name, sum, n);
          check(`${name}: events`, heard.created + heard.started + heard.ended, 3 * n);
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
    floor(n),
    barePQueue(n),
    ...forms.flatMap((form) => [
      byHand("by hand on p-queue", onPQueue, form, n),
      byHand("by hand on p-limit", onPLimit, form, n),
      ...here.map((setting) => onErrand(setting, form, n)),
    ]),
  ];
}

// ── heap ─────────────────────────────────────────────────────────────────

interface Gate {
  readonly closed: Promise<number>;
  readonly open: () => void;
}
function gate(): Gate {
  let open = (): void => undefined;
  const closed = new Promise<number>((resolve) => {
    open = () => resolve(1);
  });
  return { closed, open: () => open() };
}
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

const targets: { readonly [name: string]: Target & { readonly against: string } } = {
  "errand, ignores": { most: 0.7, stretch: 0.5, against: "p-queue", unit: "× p-queue" },
  "errand, reads": { most: 2, against: "p-queue", unit: "× p-queue" },
  "errand ambient off, ignores": { most: 0.7, stretch: 0.5, against: "p-queue", unit: "× p-queue" },
  "errand ambient off, reads": { most: 2, against: "p-queue", unit: "× p-queue" },
  "by hand on p-queue, ignores": { least: 6, stretch: 10, against: "errand, ignores", unit: "× errand" },
  "by hand on p-limit, ignores": { least: 3, stretch: 4, against: "errand, ignores", unit: "× errand" },
};
function summarise(measured: readonly Measured[]) {
  const samples = (name: string) => measured.find((one) => one.name === name)?.cpuUs;
  return measured.map(({ name, cpuUs }) => {
    const target = targets[name];
    return {
      name,
      cpuUs: quartiles(cpuUs),
      timesFloor: ratio(cpuUs, samples("floor")),
      timesPQueue: ratio(cpuUs, samples("p-queue")),
      target: target === undefined ? "" : verdict(ratio(cpuUs, samples(target.against))?.median, target),
    };
  });
}

async function time(world: World, n: number) {
  // A compiler that has seen a hundred thousand tasks has seen enough, whatever they are cut into.
  const warmups = flags.warmups === 0 ? 0 : Math.max(flags.warmups, Math.ceil(100_000 / n));
  const measured = await interleave(chosen(timedCases(world, n), flags), { repeats: flags.repeats, warmups });
  const summary = summarise(measured);
  print(`${n} tasks, ${world}: CPU per task, median [quartiles] of ${flags.repeats} rounds`);
  print(
    table(
      ["case", "µs/task", "× floor", "× p-queue", "target"],
      summary.map((row) => [
        row.name,
        spread(row.cpuUs),
        short(row.timesFloor?.median),
        short(row.timesPQueue?.median),
        row.target,
      ]),
    ),
  );
  return { world, tasks: n, warmups, summary, cases: measured };
}
type Pass = Awaited<ReturnType<typeof time>>;

/** Medians of one pass as multiples of another's: these two were not interleaved, so read them coarsely. */
function compare(title: string, pass: Pass | undefined, before: Pass | undefined, target?: Target): void {
  if (pass === undefined || before === undefined || pass === before) return;
  print(title);
  print(
    table(
      ["case", "before", "µs/task", "×", "target"],
      pass.summary.flatMap(({ name, cpuUs: { median } }) => {
        const base = before.summary.find((row) => row.name === name)?.cpuUs.median;
        if (base === undefined) return [];
        const judged = target !== undefined && name === "errand, ignores" ? verdict(median / base, target) : "";
        return [[name, short(base), short(median), short(median / base), judged]];
      }),
    ),
  );
}

async function weighAll(world: World, n: number) {
  const rounds = { repeats: Math.min(5, flags.repeats), warmups: Math.min(1, flags.warmups) };
  const weighed = await weigh(chosen(heapCases(world, n), flags), rounds);
  const cases = weighed.map((one) => ({ ...one, bytesPerTask: quartiles(one.bytes) }));
  if (cases.length > 0) {
    print(`${n} tasks, ${world}: heap per task`);
    print(
      table(
        ["case", "B/task", "target"],
        cases.map(({ name, bytesPerTask }) => {
          const target = heapTargets[name];
          return [name, spread(bytesPerTask), target === undefined ? "" : verdict(bytesPerTask.median, target)];
        }),
      ),
    );
  }
  return { world, tasks: n, cases };
}

const flags = readFlags({
  name: "spawn",
  about: "Spawn to done: errand between a floor of bare promises, bare p-queue, and the same work composed by hand.",
  sizes: [10_000, 100_000],
  repeats: 9,
  warmups: 2,
});
if (globalThis.gc === undefined) print("heap is not measured, and times are less steady: both need --expose-gc");
const passes: Pass[] = [];
const heap = [];
for (const world of worlds) {
  for (const n of flags.sizes) passes.push(await time(world, n));
  heap.push(await weighAll(world, flags.sizes[0] ?? 10_000));
}
for (const pass of passes) {
  const { world, tasks } = pass;
  const smallest = passes.find((other) => other.world === world);
  compare(`${tasks} tasks against ${smallest?.tasks}, ${world}`, pass, smallest, { most: 1.3, unit: "×" });
}
for (const tasks of flags.sizes) {
  const [without, withIt] = passes.filter((pass) => pass.tasks === tasks);
  compare(`${tasks} tasks, with AsyncLocalStorage against without`, withIt, without);
}
await writeResults(flags.json, { bench: "spawn", concurrency, repeats: flags.repeats, passes, heap });
