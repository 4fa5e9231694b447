// Polls: how many remotes of one manager are asked at a time, and which of them is next.
//
// Owns the queue of outbound polls of each manager. p-queue bounds it and orders it: the remote that was not asked for the longest time goes
// first. A task whose poll has to wait for its turn waits without a slot, and no timeout of it counts meanwhile.

import PQueue from "p-queue";
import type { Core } from "../../core/core.js";
import { Context } from "../../session/context.js";
import type { TaskContext } from "../../session/session.js";

/** More at once helps no remote, and one manager may have thousands. */
const AT_A_TIME = 16;
/** Milliseconds until a task that waits for its turn asks again: its poll wakes it before. */
const LOOK_MS = 60_000;

const queues = new WeakMap<Core, PQueue>();

function queueOf(core: Core): PQueue {
  let queue = queues.get(core);
  if (queue === undefined) queues.set(core, (queue = new PQueue({ concurrency: AT_A_TIME })));
  return queue;
}

/**
 * Calls `poll` when it is the turn of a remote that was asked last at `askedAt`, and resolves with what it gives. Once the task of `ctx` is stopped
 * a poll that waits is not made.
 */
export async function inTurn<T>(ctx: TaskContext, askedAt: number, poll: () => Promise<T>): Promise<T> {
  const queue = queueOf(Context.coreOf(ctx));
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
