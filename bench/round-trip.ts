// Round trip: how long a question takes to its answer, a message to its reply, an end to the loop that waits for it.
//
// One after another, never two under way: this is the way there and back, not the throughput. Nobody thinks in between.
// The floor is the same by hand: a Map of resolvers and an emitter. It blocks nothing, lends no slot, keeps no record.

import { TaskManager } from "errand";
import { EventEmitter } from "eventemitter3";
import { chosen, readFlags } from "./flags.js";
import { gate } from "./gate.js";
import { type Case, check, interleave } from "./interleave.js";
import { writeResults } from "./results.js";
import { quartiles, ratio } from "./statistics.js";
import { print, short, spread, table } from "./table.js";
import { judge, told } from "./target.js";

/** So many a task asks before the next task does. */
const perTask = 100;

function byHand(n: number): Case {
  return {
    name: "by hand: an emitter and a Map",
    units: n,
    prepare: () => {
      const asked = new EventEmitter<{ question: [id: number] }>();
      const waiting = new Map<number, () => void>();
      let answered = 0;
      return {
        work: async () => {
          asked.on("question", (id) => queueMicrotask(() => waiting.get(id)?.()));
          for (let id = 0; id < n; id += 1) {
            await new Promise<void>((resolve) => {
              waiting.set(id, resolve);
              asked.emit("question", id);
            });
            waiting.delete(id);
            answered += 1;
          }
        },
        finish: () => check("by hand", answered, n),
      };
    },
  };
}

/** ask → `inbox.watch` → `inbox.answer` → resumed. */
function asking(kind: "approval" | "question", n: number): Case {
  return {
    name: `${kind}: asked, watched, answered, resumed`,
    units: n,
    prepare: () => {
      const manager = new TaskManager({ concurrency: 1 });
      const stop = new AbortController();
      let resumed = 0;
      const answering = async (): Promise<void> => {
        for await (const request of manager.inbox.watch({ signal: stop.signal })) {
          await manager.inbox.answer(request.id, kind === "approval" ? true : "yes", { by: "bench" });
        }
      };
      return {
        work: async () => {
          const answered = answering().catch((error: unknown) => {
            if (!stop.signal.aborted) throw error;
          });
          for (let done = 0; done < n; done += perTask) {
            const times = Math.min(perTask, n - done);
            const task = manager.spawn(async (ctx) => {
              for (let time = 0; time < times; time += 1) {
                if (kind === "approval") await ctx.approve("Go on?");
                else await ctx.ask({ question: "Go on?" });
                resumed += 1;
              }
            });
            await task.result();
          }
          stop.abort();
          await answered;
        },
        finish: async () => {
          check(kind, resumed, n);
          await manager.close();
        },
      };
    },
  };
}

/** `send` → `receive` → `post` → the owner's listener. */
function messages(n: number): Case {
  return {
    name: "message: sent, received, replied, heard",
    units: n,
    prepare: () => {
      const manager = new TaskManager({ concurrency: 1 });
      let heard = 0;
      let reply = (): void => undefined;
      manager.on("message.sent", ({ message }) => {
        if (message.direction === "outbound") reply();
      });
      return {
        work: async () => {
          for (let done = 0; done < n; done += perTask) {
            const times = Math.min(perTask, n - done);
            const task = manager.spawn(async (ctx) => {
              for (let time = 0; time < times; time += 1) {
                await ctx.receive();
                await ctx.post("here");
              }
            });
            for (let time = 0; time < times; time += 1) {
              const replied = new Promise<void>((resolve) => {
                reply = resolve;
              });
              await task.send("there");
              await replied;
              heard += 1;
            }
            await task.result();
          }
        },
        finish: async () => {
          check("messages", heard, n);
          await manager.close();
        },
      };
    },
  };
}

/** A task whose work is over → the loop that waits in `outcome()` goes on. Spawn and start are not in it. */
function notice(n: number): Case {
  return {
    name: "end: work over, noticed by the loop that waits",
    units: n,
    prepare: async () => {
      const manager = new TaskManager();
      const waiting = Array.from({ length: n }, () => {
        const { closed, open } = gate();
        return { open, handle: manager.spawn(() => closed) };
      });
      await manager.spawn(() => undefined).outcome();
      let noticed = 0;
      return {
        work: async () => {
          for (const { open, handle } of waiting) {
            const ended = handle.outcome();
            open();
            if ((await ended).status === "succeeded") noticed += 1;
          }
        },
        finish: async () => {
          check("notice", noticed, n);
          await manager.close();
        },
      };
    },
  };
}

const flags = readFlags({
  name: "round-trip",
  about: "Round trip: an approval, a question, a message and an end, each until the one who waits goes on.",
  full: { sizes: [10_000], repeats: 9, warmups: 3 },
  quick: { sizes: [2_000], repeats: 3, warmups: 2 },
});
const n = flags.sizes[0] ?? 10_000;
const measured = await interleave(
  chosen([byHand(n), asking("approval", n), asking("question", n), messages(n), notice(n)], flags),
  flags,
);
const judged: readonly string[] = ["approval", "end"];
const floor = measured.find(({ name }) => name.startsWith("by hand"))?.cpuUs;
const summary = measured.map(({ name, units, cpuUs, wallUs }) => {
  const target = judged.some((start) => name.startsWith(`${start}:`)) ? { most: 20, unit: "µs" } : undefined;
  return {
    name,
    units,
    cpuUs: quartiles(cpuUs),
    wallUs: quartiles(wallUs),
    timesByHand: ratio(cpuUs, floor),
    target: judge(name, quartiles(cpuUs).median, target),
  };
});
print(`round trip: CPU and time of each, median [quartiles] of ${flags.repeats} rounds`);
print(
  table(
    ["case", "µs CPU each", "µs wall each", "× by hand", "target"],
    summary.map((row) => [
      row.name,
      spread(row.cpuUs),
      short(row.wallUs.median),
      short(row.timesByHand?.median),
      told(row.target),
    ]),
  ),
);
const { repeats, warmups } = flags;
const targets = summary.flatMap(({ target }) => target ?? []);
await writeResults(flags.json, { bench: "round-trip", repeats, warmups, targets, summary, cases: measured });
