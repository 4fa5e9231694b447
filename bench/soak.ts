// Soak: millions of short tasks, then a forest of long-lived trees, and at the end nothing is left of them.
//
// Fails, with 1, unless the heap is flat after warm-up, every task ended, and every listener, timer and handle is gone; and on
// any warning or unhandled rejection. Progress on stderr; the curves go to a JSON file and a picture beside it.
import { getEventListeners } from "node:events";
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { whole } from "./flags.js";
import { forest } from "./forest.js";
import { boundFor, flatness, heapNow, type Point } from "./heap-curve.js";
import { heapPicture } from "./heap-picture.js";
import { resultsFile, writeResults } from "./results.js";
import { type Owner, shortTasks } from "./short-tasks.js";
import { print, short, table } from "./table.js";
import { judge, told } from "./target.js";

const megabyte = 1024 ** 2;
const full = { tasks: 10_000_000, trees: 100_000, passes: 12, points: 60 };
const quick = { tasks: 50_000, trees: 1_000, passes: 12, points: 30 };
/** What the process may have more than before, when all is over: compiled code, and what Node keeps. */
const leftBound = 8 * megabyte;

const { values: given } = parseArgs({
  options: {
    tasks: { type: "string" },
    trees: { type: "string" },
    passes: { type: "string" },
    quick: { type: "boolean", default: false },
    leak: { type: "boolean", default: false },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (given.help) {
  process.stdout.write(`node --expose-gc --trace-warnings build/bench/soak.js [options]

Soak: the heap while millions of short tasks come and go, and while something happens to each tree of a forest.

  --tasks N    short tasks (${full.tasks})
  --trees N    trees that live at once (${full.trees})
  --passes N   things that happen to each tree (${full.passes})
  --quick      the same with --tasks ${quick.tasks} --trees ${quick.trees} --passes ${quick.passes}, measured ${quick.points} times a part instead of ${full.points}
  --leak       keep 100 bytes of each short task, which the soak must find
  --json FILE  where the curves go; the picture stands beside it (${resultsFile("soak")}; none with --quick)
  --help       this
`);
  process.exit(0);
}
if (globalThis.gc === undefined) throw new Error("soak needs node --expose-gc");
const scale = given.quick ? quick : full;
const tasks = whole("--tasks", given.tasks ?? scale.tasks, 20_000);
const trees = whole("--trees", given.trees ?? scale.trees, 10);
const passes = whole("--passes", given.passes ?? scale.passes, 8);
const json = given.json ?? (given.quick ? undefined : resultsFile("soak"));

const failures: string[] = [];
process.on("warning", (warning) => failures.push(`warning: ${warning.stack ?? warning.message}`));
process.on("unhandledRejection", (reason) => failures.push(`unhandled rejection: ${String(reason)}`));

/** One for both parts: what follows it must leave it as it was. */
const owner = new AbortController();
const started = performance.now();
// Opens it, so that what stands at the end is what stood at the begin.
process.stderr.write(`soak: ${tasks} short tasks, then ${trees} trees, ${passes} things to each\n`);
const heapBefore = await heapNow();
const standing = {
  resources: process.getActiveResourcesInfo().toSorted().join(", "),
  listeners: listenersOfProcess(),
};

/** What `--leak` keeps: eight bytes a number. */
const leaked: number[][] = [];

/** Collects and measures so many times on the way to `most`. */
function curve(name: string, most: number): { readonly points: Point[]; readonly pause: Owner["pause"] } {
  const points: Point[] = [];
  let kept = 0;
  const pause = async (done: number): Promise<void> => {
    if (given.leak && done > kept) leaked.push(Array.from({ length: Math.ceil((done - kept) * 12.5) }, Math.random));
    kept = done;
    if (done < (points.length / scale.points) * most) return;
    const y = await heapNow();
    points.push({ x: done, y });
    const seconds = (performance.now() - started) / 1_000;
    process.stderr.write(
      `${name}: ${done} of ${most}, heap ${short(y / megabyte)} MiB, after ${seconds.toFixed(0)} s\n`,
    );
  };
  return { points, pause };
}

const shortCurve = curve("short tasks", tasks);
const shortDone = await shortTasks(tasks, { signal: owner.signal, pause: shortCurve.pause });
const forestCurve = curve("forest", trees * passes);
const forestDone = await forest(trees, passes, { signal: owner.signal, pause: forestCurve.pause });

// ── what is left ─────────────────────────────────────────────────────────

function listenersOfProcess(): number {
  return process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
}
function demand(what: string, found: unknown, expected: unknown): void {
  if (found !== expected) failures.push(`${what}: ${String(found)}, not ${String(expected)}`);
}
const curves = [
  { name: "short tasks", done: shortDone, points: shortCurve.points },
  { name: "forest", done: forestDone.happened, points: forestCurve.points },
].map((one) => ({ ...one, flatness: flatness(one.points, boundFor(one.points)) }));
const left = (await heapNow()) - heapBefore;
const targets = [
  ...curves.map(({ name, flatness: { rise, bound } }) =>
    judge(`${name}, rise of the heap in the second half`, rise / megabyte, {
      most: Number(short(bound / megabyte)),
      unit: "MiB",
    }),
  ),
  judge("heap left when all is over", left / megabyte, { most: leftBound / megabyte, unit: "MiB" }),
].flatMap((target) => target ?? []);
failures.push(
  ...targets.filter(({ verdict }) => verdict === "MISSED").map((target) => `${target.what}: ${told(target)}`),
);
demand("handles and timers", process.getActiveResourcesInfo().toSorted().join(", "), standing.resources);
demand("listeners of the process", listenersOfProcess(), standing.listeners);
demand("listeners of the owner's signal", getEventListeners(owner.signal, "abort").length, 0);

print("soak: heap after a forced collection, the second half of each curve");
print(
  table(
    ["part", "done", "MiB at its begin", "MiB at its end", "B each", "rise MiB (bound)"],
    curves.map(({ name, done, flatness: { from, to, slope, rise, bound } }) => [
      name,
      String(done),
      short(from.y / megabyte),
      short(to.y / megabyte),
      slope.toFixed(4),
      `${short(rise / megabyte)} (≤ ${short(bound / megabyte)})`,
    ]),
  ),
);
print(`${forestDone.trees} trees in all; heap left at the end: ${short(left / megabyte)} MiB`);
await writeResults(json, {
  bench: "soak",
  tasks: shortDone,
  trees: { alive: trees, planted: forestDone.trees, passes },
  heapLeft: left,
  targets,
  failures,
  curves,
});
if (json !== undefined) {
  const panels = curves.map(({ name, points, flatness: found }) => ({
    title:
      name === "forest" ? `${trees} trees alive, each with a child: told, asked, awaited, replaced` : "Short tasks",
    xLabel: name === "forest" ? "things that happened to a tree" : "tasks that have ended",
    points,
    flatness: found,
  }));
  await writeFile(json.replace(/(\.json)?$/u, ".svg"), heapPicture(panels));
}
for (const failure of failures) process.stderr.write(`FAILED: ${failure}\n`);
process.exitCode = failures.length > 0 ? 1 : 0;
