// Short tasks: the first half of the soak. Millions of tasks that come and go, a thousand at a time, under one manager.
//
// In each hundred one throws, one is cancelled in line, one has a time limit, one listens to its signal, one follows a signal
// of the owner's, and one has two children; the rest just return. Records are kept as the manager does by itself.
import { type TaskHandle, TaskManager } from "errand";
import { check } from "./interleave.js";

const batch = 1_000;
const concurrency = 8;

export interface Owner {
  /** Lives as long as the process, and is followed by tasks and by waits. */
  readonly signal: AbortSignal;
  /** Called between two batches, with the number of tasks that have ended. */
  readonly pause: (done: number) => Promise<void>;
}

/** At least `total` tasks; how many there were. */
export async function shortTasks(total: number, { signal, pause }: Owner): Promise<number> {
  const manager = new TaskManager({ concurrency });
  const count = { created: 0, succeeded: 0, failed: 0, cancelled: 0 };
  const offs = (["created", "succeeded", "failed", "cancelled"] as const).map((end) =>
    manager.on(`task.${end}`, () => {
      count[end] += 1;
    }),
  );
  await pause(0);
  for (let round = 0; count.created < total; round += 1) {
    const handles = Array.from({ length: batch }, (_, place) => spawnOne(manager, place % 100, signal));
    if (round % 2 === 0) {
      const { ended } = await manager.awaitTasks(handles, { signal });
      check("ended of a batch", ended.length, batch);
    } else {
      let ended = 0;
      for await (const _outcome of manager.outcomes(handles, { signal })) ended += 1;
      check("outcomes of a batch", ended, batch);
    }
    await pause(count.created);
  }
  await manager.idle();
  check("ends of all tasks", count.succeeded + count.failed + count.cancelled, count.created);
  for (const off of offs) off();
  await manager.close();
  const { queued, running, blocked, abandoned } = manager.stats();
  check("tasks left", queued + running + blocked + abandoned, 0);
  return count.created;
}

function spawnOne(manager: TaskManager, sort: number, signal: AbortSignal): TaskHandle {
  switch (sort) {
    case 10:
      return manager.spawn(() => {
        throw new Error("this one fails");
      });
    case 20: {
      const handle = manager.spawn(async () => 1);
      void handle.cancel("not needed");
      return handle;
    }
    case 30:
      return manager.spawn(async () => 1, { timeoutMs: 60_000 });
    case 40:
      return manager.spawn(async (ctx) => ctx.signal.addEventListener("abort", () => undefined));
    case 50:
      return manager.spawn(async () => 1, { signal });
    case 60:
      return manager.spawn(async (ctx) => {
        const children = [ctx.spawn(async () => 1), ctx.spawn(async () => 2)];
        return (await ctx.awaitTasks(children)).ended.length;
      });
    default:
      return manager.spawn(async () => 1);
  }
}
