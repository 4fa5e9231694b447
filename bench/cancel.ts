// Cancel: what one call costs that stops a tree, and what many calls cost that each stop one queued task.
//
// Every run builds its tree anew (not measured, but reported), cancels it, waits until the last task has ended, and
// throws if one has not. A listener counts every end, so the events are part of the price.

import { type TaskContext, type TaskHandle, TaskManager } from "errand";
import PQueue from "p-queue";
import { shuffled } from "./dice.js";
import { chosen, readFlags } from "./flags.js";
import { gate, until } from "./gate.js";
import { type Case, check, interleave, type Measured } from "./interleave.js";
import { writeResults } from "./results.js";
import { quartiles, ratio } from "./statistics.js";
import { print, short, spread, table } from "./table.js";
import { type Judged, judge, type Target, told } from "./target.js";

const fanOut = 10;

function countEnds(manager: TaskManager): { ended: number } {
  const count = { ended: 0 };
  manager.on("task.cancelled", () => {
    count.ended += 1;
  });
  return count;
}

// ── one call, a tree that is still in line ───────────────────────────────

/** `parentOf` gives each task but the first the place of its parent. */
function queuedTree(name: string, n: number, parentOf: (place: number) => number): Case {
  return {
    name,
    units: n,
    prepare: () => {
      const manager = new TaskManager({ concurrency: 1, limits: { maxQueued: n, maxDepth: n } });
      const count = countEnds(manager);
      manager.pause();
      const handles: TaskHandle<number>[] = [];
      for (let place = 0; place < n; place += 1) {
        const parent = place === 0 ? undefined : handles[parentOf(place)];
        handles.push(manager.spawn(async () => 1, { parent }));
      }
      return {
        work: () => handles[0]?.cancel(),
        finish: async () => {
          check(name, count.ended, n);
          await manager.close();
        },
      };
    },
  };
}

// ── one call, a tree that runs ───────────────────────────────────────────

const ways = ["signal unread", "in a wait", "signal listened to"] as const;
type Way = (typeof ways)[number];

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as unknown), { once: true });
  });
}

/** A function spawns its children and stays. If it never reads its signal, a gate they share tells it to end. */
function liveTree(name: string, way: Way, n: number, childrenOf: (place: number) => readonly number[]): Case {
  return {
    name,
    units: n,
    prepare: async () => {
      const manager = new TaskManager({ limits: { maxQueued: n, maxDepth: n } });
      const count = countEnds(manager);
      const { closed, refuse } = gate();
      const stay = (ctx: TaskContext): Promise<unknown> =>
        way === "signal unread" ? closed : way === "in a wait" ? ctx.receive() : aborted(ctx.signal);
      let started = 0;
      const node =
        (place: number) =>
        (ctx: TaskContext): Promise<unknown> => {
          started += 1;
          for (const child of childrenOf(place)) ctx.spawn(node(child));
          return stay(ctx);
        };
      const root = manager.spawn(node(0));
      await until(() => started === n);
      return {
        work: async () => {
          const ended = root.cancel();
          if (way === "signal unread") refuse();
          await ended;
        },
        finish: async () => {
          check(name, count.ended, n);
          await manager.close();
        },
      };
    },
  };
}

/** The peer: nodes linked by hand, a controller each from the start, walked in a loop. No record, no event, no slot. */
function ownLinks(name: string, way: "signal unread" | "signal listened to", n: number): Case {
  return {
    name,
    units: n,
    prepare: () => {
      interface Link {
        readonly controller: AbortController;
        readonly children: Link[];
      }
      const { closed, refuse } = gate();
      let ended = 0;
      let allEnded = (): void => undefined;
      const done = new Promise<void>((resolve) => {
        allEnded = resolve;
      });
      const end = (): void => {
        ended += 1;
        if (ended === n) allEnded();
      };
      const links: Link[] = [];
      for (let place = 0; place < n; place += 1) {
        const link: Link = { controller: new AbortController(), children: [] };
        const { signal } = link.controller;
        if (place > 0) links[parentInTree(place)]?.children.push(link);
        links.push(link);
        (way === "signal unread" ? closed : aborted(signal)).then(end, end);
      }
      return {
        work: async () => {
          const reason = new Error("cancel");
          const line = links.slice(0, 1);
          for (let link = line.pop(); link !== undefined; link = line.pop()) {
            link.controller.abort(reason);
            line.push(...link.children);
          }
          if (way === "signal unread") refuse();
          await done;
        },
        finish: () => check(name, ended, n),
      };
    },
  };
}

function parentInTree(place: number): number {
  return Math.floor((place - 1) / fanOut);
}
function childrenInTree(n: number): (place: number) => readonly number[] {
  return (place) =>
    Array.from({ length: fanOut }, (_, child) => place * fanOut + 1 + child).filter((child) => child < n);
}
function childrenInChain(n: number): (place: number) => readonly number[] {
  return (place) => (place + 1 < n ? [place + 1] : []);
}

// ── many calls, one queued task each ─────────────────────────────────────

const orders = ["first to last", "last to first", "shuffled"] as const;
type Order = (typeof orders)[number];

function inOrder<T>(items: readonly T[], order: Order): readonly T[] {
  switch (order) {
    case "first to last":
      return items;
    case "last to first":
      return items.toReversed();
    case "shuffled":
      return shuffled(items, 1);
  }
}

function oneByOne(order: Order, n: number): Case {
  const name = `errand one by one, ${order}`;
  return {
    name,
    units: n,
    prepare: () => {
      const manager = new TaskManager({ concurrency: 1, limits: { maxQueued: n } });
      const count = countEnds(manager);
      manager.pause();
      const handles = inOrder(
        Array.from({ length: n }, () => manager.spawn(async () => 1)),
        order,
      );
      return {
        work: async () => {
          for (const handle of handles) void handle.cancel();
          await manager.idle();
        },
        finish: async () => {
          check(name, count.ended, n);
          await manager.close();
        },
      };
    },
  };
}

function oneByOneOnPQueue(order: Order, n: number): Case {
  const name = `p-queue one by one, ${order} (${n} queued)`;
  return {
    name,
    units: n,
    prepare: () => {
      const queue = new PQueue({ concurrency: 1, autoStart: false });
      let ended = 0;
      const queued = Array.from({ length: n }, () => {
        const controller = new AbortController();
        const settled = queue
          .add(async () => 1, { signal: controller.signal })
          .catch(() => {
            ended += 1;
          });
        return { controller, settled };
      });
      const line = inOrder(queued, order);
      return {
        work: async () => {
          for (const { controller } of line) controller.abort();
          await Promise.all(queued.map(({ settled }) => settled));
        },
        finish: () => check(name, ended, n),
      };
    },
  };
}

// ── report ───────────────────────────────────────────────────────────────

/** In milliseconds of one whole run, in microseconds of one cancel, or against another case. */
const targets: { readonly [name: string]: Target & { readonly of: "run" | "each" | { readonly against: string } } } = {
  "errand queued chain": { most: 5, unit: "ms", of: "run" },
  "errand live tree, signal unread": { most: 0.9, unit: "× own links", of: { against: "own links, signal unread" } },
  "errand live tree, signal listened to": {
    most: 1.5,
    unit: "× own links",
    of: { against: "own links, signal listened to" },
  },
  "errand live chain": { most: 10, unit: "ms", of: "run" },
  "errand one by one, first to last": { most: 5, unit: "µs", of: "each" },
  "errand one by one, last to first": { most: 5, unit: "µs", of: "each" },
  "errand one by one, shuffled": { most: 5, unit: "µs", of: "each" },
};
function judgedOf({ name, units, cpuUs }: Measured, all: readonly Measured[]): Judged | undefined {
  const target = targets[name];
  if (target === undefined) return undefined;
  const { of } = target;
  const what = `${name}, ${units} tasks`;
  if (of === "each") return judge(what, quartiles(cpuUs).median, target);
  if (of === "run") return judge(what, (quartiles(cpuUs).median * units) / 1_000, target);
  return judge(what, ratio(cpuUs, all.find((other) => other.name === of.against)?.cpuUs)?.median, target);
}

const flags = readFlags({
  name: "cancel",
  about:
    "Cancel: one call on a tree (10 children each) and on a chain, in line and running; and queued tasks one by one.",
  full: { sizes: [100_000], repeats: 5, warmups: 2 },
  quick: { sizes: [5_000], repeats: 2, warmups: 1 },
});
const n = flags.sizes[0] ?? 100_000;
/** A chain is as deep as it is long. */
const chain = Math.ceil(n / 10);
/** What p-queue needs for this grows with the square: a tenth of the tasks, so about a tenth of the time each. */
const fewer = Math.ceil(n / 10);
const measured = await interleave(
  chosen(
    [
      queuedTree("errand queued tree", n, parentInTree),
      ...ways.map((way) => liveTree(`errand live tree, ${way}`, way, n, childrenInTree(n))),
      ownLinks("own links, signal unread", "signal unread", n),
      ownLinks("own links, signal listened to", "signal listened to", n),
      queuedTree("errand queued chain", chain, (place) => place - 1),
      liveTree("errand live chain", "in a wait", chain, childrenInChain(chain)),
      ...orders.map((order) => oneByOne(order, n)),
      oneByOneOnPQueue("first to last", fewer),
      oneByOneOnPQueue("last to first", fewer),
    ],
    flags,
  ),
  flags,
);
const summary = measured.map((one) => ({
  name: one.name,
  tasks: one.units,
  runCpuMs: quartiles(one.cpuUs.map((us) => (us * one.units) / 1_000)),
  eachCpuUs: quartiles(one.cpuUs),
  prepareCpuUs: quartiles(one.prepareCpuUs),
  target: judgedOf(one, measured),
}));
print(`cancel: CPU until the last task has ended, median [quartiles] of ${flags.repeats} rounds`);
print(
  table(
    ["case", "tasks", "ms", "µs each", "µs each to build", "target"],
    summary.map((row) => [
      row.name,
      String(row.tasks),
      spread(row.runCpuMs),
      short(row.eachCpuUs.median),
      short(row.prepareCpuUs.median),
      told(row.target),
    ]),
  ),
);
const { repeats, warmups } = flags;
await writeResults(flags.json, {
  bench: "cancel",
  fanOut,
  repeats,
  warmups,
  targets: summary.flatMap(({ target }) => target ?? []),
  summary,
  cases: measured,
});
