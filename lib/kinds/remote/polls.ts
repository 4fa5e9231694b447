// Polls: limits how many remotes of one manager are polled at a time, and chooses the next one.
//
// Owns the poll queue of each manager. p-queue limits and orders it: the remote with the oldest poll is first. A task
// whose poll has to wait for its turn waits without a slot, and its `timeoutMs` does not count meanwhile.

import PQueue from "p-queue";
import type { Core } from "../../core/core.js";
import { Context } from "../../session/context.js";
import type { TaskContext } from "../../session/session.js";

/**
 * The number of polls at a time. One manager may have thousands of remotes, and more parallel polls help none of them.
 */
const AT_A_TIME = 16;
/** The longest sleep of a task that waits for its turn, in milliseconds; its poll wakes it earlier. */
const RECHECK_MS = 60_000;

const queues = new WeakMap<Core, PQueue>();

function queueOf(core: Core): PQueue {
  let queue = queues.get(core);
  if (queue === undefined) queues.set(core, (queue = new PQueue({ concurrency: AT_A_TIME })));
  return queue;
}

/**
 * Calls `poll` when it is the turn of a remote whose last poll began at `askedAt`, and resolves with the result. A
 * waiting poll is not made after the task of `ctx` is stopped.
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
      await ctx.sleep(RECHECK_MS, { signal: turn.signal });
    } catch (error) {
      if (ctx.isCancelled || !turn.signal.aborted) throw error;
    }
  }
}
