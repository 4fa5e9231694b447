// Remote: a task whose work goes on outside: started by its function, looked after until it ends, and wound down when the task is stopped.
//
// Made of what a context can do, so that it holds no slot while it waits, and everything it tells is fenced like any write of a function.

import type { TaskRecord } from "../core/task/record.js";
import { FailureError } from "../core/task/settled.js";
import { Alarm } from "../core/time/clock.js";
import { runOutside } from "../core/values/outside.js";
import { Context } from "../session/context.js";
import type { TaskContext } from "../session/session.js";
import { type AnswerHook, Asking } from "./remote/asking.js";
import { inTurn } from "./remote/polls.js";
import { checkReport, News, type ReconcileReport } from "./remote/report.js";

export interface RemoteParts<In, R, C> {
  readonly run: (ctx: TaskContext<C>, input: In) => unknown;
  readonly reconcile: ((record: TaskRecord) => ReconcileReport<R> | PromiseLike<ReconcileReport<R>>) | undefined;
  readonly answer: AnswerHook | undefined;
  readonly cancel: ((record: TaskRecord, reason: string) => void | PromiseLike<void>) | undefined;
}

type Hooks = Pick<RemoteParts<never, never, never>, "answer" | "cancel">;
type Reconcile<R> = NonNullable<RemoteParts<never, R, never>["reconcile"]>;

/** Between polls that bring nothing new the pause doubles, up to the longest. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** A poll that has not answered by then has failed. */
const POLL_MS = 60_000;

/** A function that starts the remote work, and is over when that is. */
export function remoteRun<In, R, C>(
  parts: RemoteParts<In, R, C>,
): (ctx: TaskContext<C>, input: In) => Promise<unknown> {
  return async (ctx, input) => {
    let hasEnded = false;
    const winding =
      parts.cancel === undefined
        ? undefined
        : ctx.cancelled().then(() => (hasEnded ? undefined : windDown(ctx, parts)));
    try {
      const value = await parts.run(ctx, input);
      hasEnded = value !== undefined || parts.reconcile === undefined;
      if (hasEnded || parts.reconcile === undefined) return value;
      return await poll(ctx, parts.reconcile, parts, () => (hasEnded = true));
    } finally {
      // Within the grace: after it the task is over, whatever is still wound down.
      if (ctx.isCancelled) await winding;
    }
  };
}

/** A shutdown leaves what the next process goes on with. */
async function windDown(ctx: TaskContext, { cancel }: Hooks): Promise<void> {
  const { record } = ctx;
  if (record.stopReason === "shutdown" && Context.coreOf(ctx).staysActive(record.id)) return;
  try {
    await runOutside(() => cancel?.(record, record.reason ?? "cancel"));
  } catch (error) {
    Context.coreOf(ctx).logger.warn(`cancel of kind ${record.kind} threw: task ${record.id}`, { error });
  }
}

async function poll<R>(
  ctx: TaskContext,
  reconcile: Reconcile<R>,
  { answer, cancel }: Hooks,
  onEnd: () => void,
): Promise<R> {
  const answers = new Answers(ctx, reconcile);
  const asking = new Asking(ctx, answer);
  let pauseMs = FIRST_PAUSE_MS;
  try {
    for (;;) {
      const found = await answers.next();
      const isAsking = found !== undefined && asking.follow(found.report);
      if (found !== undefined && found.report.status !== "running" && found.report.status !== "asking") {
        const { report } = found;
        onEnd();
        if (report.status === "succeeded") return report.value;
        if (report.status === "failed") throw new FailureError(report.code ?? "error", report.message);
        return cancelled(ctx, report.reason);
      }
      if (found?.isNews || isAsking) pauseMs = FIRST_PAUSE_MS;
      await asking.pause(pauseMs);
      if (asking.refusal !== undefined) {
        onEnd();
        await withinGrace(ctx, windDown(ctx, { answer, cancel }));
        throw asking.refusal;
      }
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
  } finally {
    asking.end();
  }
}

/** A hook that never settles keeps its task no longer than a stopped function would. */
function withinGrace(ctx: TaskContext, work: Promise<void>): Promise<void> {
  const core = Context.coreOf(ctx);
  return new Promise((resolve) => {
    const alarm = new Alarm(core.loop.clock, core.graceOf(ctx.id), resolve);
    void work.then(() => {
      alarm.cancel();
      resolve();
    });
  });
}

/** What the remote says, each time it is asked. A stop does not wait for an answer; it is listened for once, however often is asked. */
class Answers<R> {
  readonly #ctx: TaskContext;
  readonly #reconcile: Reconcile<R>;
  readonly #news: News;
  #askedAt: number;
  #stop: (reason: unknown) => void = () => {};

  constructor(ctx: TaskContext, reconcile: Reconcile<R>) {
    this.#ctx = ctx;
    this.#reconcile = reconcile;
    this.#news = new News(ctx);
    this.#askedAt = Context.coreOf(ctx).loop.clock.monotonic();
    void ctx.cancelled().then(() => this.#stop(ctx.signal.reason));
  }

  /** `undefined`: it threw, did not answer in time, or reported what is no report, and is asked again. */
  async next(): Promise<{ readonly report: ReconcileReport<R>; readonly isNews: boolean } | undefined> {
    const ctx = this.#ctx;
    const { record } = ctx;
    const core = Context.coreOf(ctx);
    try {
      const report = await inTurn(ctx, this.#askedAt, () => this.#ask());
      checkReport<R>(report);
      return { report, isNews: this.#news.write(report) };
    } catch (error) {
      if (ctx.isCancelled) throw error;
      const { id, kind } = record;
      core.logger.warn(`reconcile of kind ${kind} failed: task ${id} is asked about again`, { error });
      return undefined;
    }
  }

  /** The task's turn has come. */
  async #ask(): Promise<unknown> {
    const ctx = this.#ctx;
    const { clock } = Context.coreOf(ctx).loop;
    this.#askedAt = clock.monotonic();
    let late: Alarm | undefined;
    try {
      return await new Promise<unknown>((resolve, reject) => {
        this.#stop = reject;
        if (ctx.isCancelled) return reject(ctx.signal.reason);
        late = new Alarm(clock, POLL_MS, () => reject(new Error(`no answer within ${POLL_MS / 1_000} s`)));
        const { record } = ctx;
        runOutside(async () => this.#reconcile(record)).then(resolve, reject);
      });
    } finally {
      late?.cancel();
    }
  }
}

/** It was cancelled where it runs: so is the task, in the same words. */
async function cancelled(ctx: TaskContext, reason: string): Promise<never> {
  const core = Context.coreOf(ctx);
  const task = core.registry.byId(ctx.id);
  if (task !== undefined) core.runner.stop(task, "cancel", reason);
  await ctx.cancelled();
  throw ctx.signal.reason;
}
