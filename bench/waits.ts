// Waits: awaiting all of many tasks, the next of many, and one long task again and again.
//
// The peer each time is what the platform has: Promise.all and Promise.race, over promises of the same errand tasks. So
// both sides pay for the tasks' ends, and the rows called "no wait" say what those cost alone.
import { type TaskHandle, TaskManager } from "errand";
import { chosen, readFlags } from "./flags.js";
import { type Gate, gate, until } from "./gate.js";
import { type Case, check, type HeapCase, interleave, weigh } from "./interleave.js";
import { writeResults } from "./results.js";
import { quartiles, ratio, type Samples } from "./statistics.js";
import { print, short, spread, table } from "./table.js";
import { type Judged, judge, told } from "./target.js";

const concurrency = 8;
const flags = readFlags({
  name: "waits",
  about: "Waits: all of N tasks, N / 10 any-waits over one long task, and each next of N / 10 tasks.",
  full: { sizes: [100_000], repeats: 7, warmups: 2 },
  quick: { sizes: [10_000], repeats: 2, warmups: 1 },
});
const n = flags.sizes[0] ?? 100_000;
/** `outcomes()` steps over so many; `Promise.race` of the rest, quadratic over a whole run, takes the first few. */
const steppedOver = Math.ceil(n / 10);
const racedSteps = 50;
const repeatedWaits = Math.ceil(n / 10);
/** Ten times as many, so that what a manager or the process keeps once is little beside them. */
const weighedWaits = n;

function started(manager: TaskManager): Promise<void> {
  return until(() => manager.stats().queued === 0);
}

// ── all of many ──────────────────────────────────────────────────────────

type Wait = (manager: TaskManager, handles: readonly TaskHandle<number>[]) => Promise<number>;
const allWays: { readonly [name: string]: Wait } = {
  "no wait": async (manager, handles) => {
    await manager.idle();
    return handles.length;
  },
  awaitTasks: async (manager, handles) => (await manager.awaitTasks(handles)).ended.length,
  "Promise.all of result()": async (_manager, handles) =>
    (await Promise.all(handles.map((handle) => handle.result()))).length,
};
/** Running tasks that end together once the wait has begun, or tasks that have ended before it. */
function allOf(name: string, wait: Wait, when: "running" | "ended", n: number): Case {
  return {
    name: `${name}, ${when}`,
    units: n,
    prepare: async () => {
      const manager = new TaskManager();
      const { closed, open } = gate();
      const handles = Array.from({ length: n }, () => manager.spawn(() => closed));
      await started(manager);
      if (when === "ended") {
        open();
        await manager.idle();
      }
      let ended = 0;
      return {
        work: async () => {
          const waiting = wait(manager, handles);
          open();
          ended = await waiting;
        },
        finish: async () => {
          check(name, ended, n);
          await manager.close();
        },
      };
    },
  };
}

// ── one long task, again and again ───────────────────────────────────────

interface Repeated {
  readonly manager: TaskManager;
  readonly long: TaskHandle<number>;
  readonly wait: () => Promise<void>;
  readonly end: () => Promise<void>;
}
/** A short task ends each wait. Ended records go at once, so that what stays is what the waits left behind. */
function repeated(way: "awaitTasks" | "Promise.race"): Repeated {
  const manager = new TaskManager({ concurrency, retention: { maxFinished: 1 } });
  const { closed, open } = gate();
  const long = manager.spawn(() => closed);
  const longResult = way === "Promise.race" ? long.result() : undefined;
  const wait = async (): Promise<void> => {
    const short = manager.spawn(async () => 2);
    if (longResult === undefined) {
      const { ended } = await manager.awaitTasks([long, short], { until: "any" });
      check("the first to end", ended.length, 1);
    } else {
      check("the first to end", await Promise.race([longResult, short.result()]), 2);
    }
  };
  const end = async (): Promise<void> => {
    open();
    await manager.idle();
    await manager.close();
  };
  return { manager, long, wait, end };
}
function repeatedTime(way: "awaitTasks" | "Promise.race"): Case {
  return {
    name: `any of a long and a short one, ${way}`,
    units: repeatedWaits,
    prepare: () => {
      const { wait, end } = repeated(way);
      return {
        work: async () => {
          for (let done = 0; done < repeatedWaits; done += 1) await wait();
        },
        finish: end,
      };
    },
  };
}
function repeatedHeap(way: "awaitTasks" | "Promise.race"): HeapCase {
  return {
    name: `any of a long and a short one, ${way}`,
    units: weighedWaits,
    build: async () => {
      const { manager, long, wait, end } = repeated(way);
      for (let done = 0; done < weighedWaits; done += 1) await wait();
      return { held: { manager, long }, release: end };
    },
  };
}

// ── the next of many ─────────────────────────────────────────────────────

async function gated(): Promise<{ manager: TaskManager; gates: Gate[]; handles: TaskHandle<number>[] }> {
  const manager = new TaskManager();
  const gates = Array.from({ length: steppedOver }, gate);
  const handles = gates.map(({ closed }) => manager.spawn(() => closed));
  await started(manager);
  return { manager, gates, handles };
}
/** One task ends, the loop hears of it, the next may end. The subscription is part of the price. */
function steps(): Case {
  const name = "each next of many, outcomes()";
  return {
    name,
    units: steppedOver,
    prepare: async () => {
      const { manager, gates, handles } = await gated();
      let taken = 0;
      return {
        work: async () => {
          gates.pop()?.open();
          for await (const outcome of manager.outcomes(handles)) {
            if (outcome.status === "succeeded") taken += outcome.value;
            gates.pop()?.open();
          }
        },
        finish: async () => {
          check(name, taken, steppedOver);
          await manager.close();
        },
      };
    },
  };
}
/** The promises are made once, before: only the races are counted. */
function races(): Case {
  const name = `each next of many, Promise.race (first ${racedSteps})`;
  return {
    name,
    units: racedSteps,
    prepare: async () => {
      const { manager, gates, handles } = await gated();
      const rest = handles.map((handle) => handle.result());
      let taken = 0;
      return {
        work: async () => {
          while (taken < racedSteps) {
            gates.pop()?.open();
            taken += await Promise.race(rest);
            void rest.pop();
          }
        },
        finish: async () => {
          check(name, taken, racedSteps);
          for (const { open } of gates) open();
          await manager.idle();
          await manager.close();
        },
      };
    },
  };
}

// ── report ───────────────────────────────────────────────────────────────

const measured = await interleave(
  chosen(
    [
      ...(["running", "ended"] as const).flatMap((when) =>
        Object.entries(allWays).map(([name, wait]) => allOf(name, wait, when, n)),
      ),
      repeatedTime("awaitTasks"),
      repeatedTime("Promise.race"),
      steps(),
      races(),
    ],
    flags,
  ),
  flags,
);

/** What the wait adds to the tasks' own ends. */
function net(name: string): Samples | undefined {
  const cpuUs = measured.find((one) => one.name === name)?.cpuUs;
  const alone = measured.find((one) => one.name === "no wait, running")?.cpuUs;
  return alone && cpuUs?.map((us, round) => us - (alone[round] ?? Number.NaN));
}
function judgedOf(name: string, cpuUs: Samples): Judged | undefined {
  const against = (peer: string) => ratio(cpuUs, measured.find((one) => one.name === peer)?.cpuUs)?.median;
  const half = { most: 0.5, unit: "× Promise.all" };
  if (name === "awaitTasks, running") {
    const own = ratio(net(name), net("Promise.all of result(), running"))?.median;
    return judge(`${name}, less "no wait"`, own, half);
  }
  if (name === "awaitTasks, ended") return judge(name, against("Promise.all of result(), ended"), half);
  if (name.endsWith("outcomes()")) return judge(name, against(races().name), { most: 0.02, unit: "× Promise.race" });
  return undefined;
}
const summary = measured.map(({ name, units, cpuUs }) => ({
  name,
  units,
  cpuUs: quartiles(cpuUs),
  target: judgedOf(name, cpuUs),
}));
print(`waits: CPU per task, wait or step, median [quartiles] of ${flags.repeats} rounds`);
print(
  table(
    ["case", "units", "µs each", "target"],
    summary.map((row) => [row.name, String(row.units), spread(row.cpuUs), told(row.target)]),
  ),
);

const weighed = await weigh(chosen([repeatedHeap("awaitTasks"), repeatedHeap("Promise.race")], flags), {
  repeats: Math.min(5, flags.repeats),
  warmups: Math.min(1, flags.warmups),
});
// Nothing at all is the target; a few hundred kilobytes in all come and go with the process.
const nothing = { most: 5, unit: "B, for 0 and the noise" };
const heap = weighed.map((one) => {
  const bytesPerWait = quartiles(one.bytes);
  const target = one.name.endsWith("awaitTasks") ? nothing : undefined;
  return { ...one, bytesPerWait, target: judge(`heap left by a wait, ${one.name}`, bytesPerWait.median, target) };
});
if (globalThis.gc === undefined) print("heap: not measured, it needs --expose-gc");
if (heap.length > 0) {
  print(`heap that one wait leaves behind, after ${weighedWaits} of them`);
  print(
    table(
      ["case", "B/wait", "target"],
      heap.map(({ name, bytesPerWait, target }) => [name, short(bytesPerWait.median), told(target)]),
    ),
  );
}
const targets = [...summary, ...heap].flatMap(({ target }) => target ?? []);
const { repeats, warmups } = flags;
await writeResults(flags.json, { bench: "waits", repeats, warmups, targets, summary, cases: measured, heap });
