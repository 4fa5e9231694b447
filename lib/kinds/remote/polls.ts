// Polls: how many remotes of one manager are asked at a time, and which of them is next.
//
// Owns the queue of outbound polls of each manager. p-queue bounds it and orders it: the remote that was not asked for the longest time goes
// first. A task whose poll has to wait for its turn waits without a slot, and no timeout of it counts meanwhile. p-queue is loaded with the first
// kind that polls, so that other programs do not load it.

import type PQueue from "p-queue";
import type { Core } from "../../core/core.js";
import { handled } from "../../core/pending-wait.js";
import { Context, type TaskContext } from "../../session/context.js";

/** More at once helps no remote, and one manager may have thousands. */
const AT_A_TIME = 16;
/** Until a task that waits for its turn looks again: its poll wakes it before. */
const LOOK_MS = 60_000;

let library: Promise<typeof PQueue> | undefined;

/** Begins to load the queue: there is a kind that will need it. A failure to load shows at the first poll. */
export async function preparePolls(): Promise<void> {
  await load();
}

function load(): Promise<typeof PQueue> {
  library ??= handled(import("p-queue").then((loaded) => loaded.default));
  return library;
}

const queues = new WeakMap<Core, PQueue>();

async function queueOf(core: Core): Promise<PQueue> {
  const Queue = await load();
  let queue = queues.get(core);
  if (queue === undefined) queues.set(core, (queue = new Queue({ concurrency: AT_A_TIME })));
  return queue;
}

/**
 * Calls `poll` when it is the turn of a remote that was asked last at `askedAt`, and resolves with what it gives. Once the task of `ctx` is stopped
 * a poll that waits is not made.
 */
export async function inTurn<T>(ctx: TaskContext, askedAt: number, poll: () => Promise<T>): Promise<T> {
  const queue = await queueOf(Context.coreOf(ctx));
  const isFree = queue.size === 0 && queue.pending < AT_A_TIME;
  const call = async (): Promise<T> => {
    if (ctx.isCancelled) throw ctx.signal.reason;
    return poll();
  };
  const answered = queue.add(call, { priority: -askedAt });
  if (!isFree) await withoutSlot(ctx, answered);
  return answered;
}

/** Resolves when `answered` has settled; rejects when the task is stopped first. */
async function withoutSlot(ctx: TaskContext, answered: Promise<unknown>): Promise<void> {
  const turn = new AbortController();
  const over = (): void => turn.abort();
  answered.then(over, over);
  while (!turn.signal.aborted) {
    try {
      await ctx.sleep(LOOK_MS, { signal: turn.signal });
    } catch (error) {
      if (ctx.isCancelled || !turn.signal.aborted) throw error;
    }
  }
}
