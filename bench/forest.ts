// Forest: the second half of the soak. So many trees that live all at once, and something happens to each in every pass.
//
// A tree is a root and a child, both waiting for messages. In turn it is told to work (it spawns a short child, awaits it
// and replies), told to ask (and is answered), waited for in vain, and cancelled and replaced by a new one.
import { type TaskContext, type TaskHandle, TaskManager } from "errand";
import { until } from "./gate.js";
import { check } from "./interleave.js";
import type { Owner } from "./short-tasks.js";

/** Trees that something happens to at once, at most; of a small forest a tenth. */
const mostAtOnce = 1_000;
const turns = ["work", "ask", "wait", "replace"] as const;

async function leaf(ctx: TaskContext): Promise<never> {
  for (;;) await ctx.receive();
}
async function root(ctx: TaskContext): Promise<never> {
  ctx.spawn(leaf);
  for (;;) {
    const message = await ctx.receive();
    const [part] = message?.content ?? [];
    if (part?.type === "text" && part.text === "ask") await ctx.ask({ question: "Go on?", choices: ["yes", "no"] });
    else await ctx.spawn(async () => 1).result();
    await ctx.post("done");
  }
}

/** How many things happened to how many trees. */
export interface ForestRun {
  readonly happened: number;
  readonly trees: number;
}
/** `passes` over `size` trees; `pause` is given the number of things that have happened. */
export async function forest(size: number, passes: number, { signal, pause }: Owner): Promise<ForestRun> {
  const manager = new TaskManager();
  const stop = new AbortController();
  const count = { created: 0, ended: 0, replies: 0 };
  const offs = [
    manager.on("task.created", () => {
      count.created += 1;
    }),
    ...(["task.succeeded", "task.failed", "task.cancelled"] as const).map((type) =>
      manager.on(type, () => {
        count.ended += 1;
      }),
    ),
    manager.on("message.sent", ({ message }) => {
      if (message.direction === "outbound") count.replies += 1;
    }),
  ];
  const answering = answerAll(manager, stop.signal);
  let trees = 0;
  const plant = (): TaskHandle<never> => {
    trees += 1;
    return manager.spawn(root, { signal });
  };

  const roots = Array.from({ length: size }, plant);
  const batch = Math.min(mostAtOnce, Math.ceil(size / 10));
  let happened = 0;
  let told = 0;
  for (let pass = 0; pass < passes; pass += 1) {
    for (let first = 0; first < size; first += batch) {
      await pause(happened);
      const waits: Promise<unknown>[] = [];
      for (let place = first; place < Math.min(first + batch, size); place += 1) {
        const handle = roots[place];
        if (handle === undefined) continue;
        happened += 1;
        const turn = turns[(place + pass) % turns.length] ?? "wait";
        if (turn === "wait") {
          waits.push(manager.awaitTasks([handle], { until: "any", timeoutMs: 1, signal }));
        } else if (turn === "replace") {
          waits.push(handle.cancel("replaced"));
          roots[place] = plant();
        } else {
          told += 1;
          waits.push(handle.send(turn));
        }
      }
      await Promise.all(waits);
      await until(() => count.replies === told);
    }
  }
  await pause(happened);

  roots.length = 0;
  await manager.cancelAll();
  check("ends of all tasks", count.ended, count.created);
  stop.abort();
  await answering;
  for (const off of offs) off();
  await manager.close();
  const { queued, running, blocked, abandoned } = manager.stats();
  check("tasks left", queued + running + blocked + abandoned, 0);
  return { happened, trees };
}

async function answerAll(manager: TaskManager, signal: AbortSignal): Promise<void> {
  try {
    for await (const { id } of manager.inbox.watch({ signal })) await manager.inbox.answer(id, "yes", { by: "soak" });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
