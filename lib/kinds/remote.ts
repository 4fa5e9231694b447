// Remote: the function of a task whose work runs elsewhere.
//
// Starts the work, polls it until it ends, and cleans it up when the task is stopped. Uses the methods of the context,
// so that the task holds no slot while it waits, and writes of an old attempt are rejected.

import type { TaskRecord } from "../core/task/record.js";
import { FailureError } from "../core/task/settled.js";
import { Alarm } from "../core/time/clock.js";
import { runOutside } from "../core/values/outside.js";
import { Context } from "../session/context.js";
import type { TaskContext } from "../session/session.js";
import { inTurn } from "./remote/polls.js";
import { type AnswerHook, RemoteQuestions } from "./remote/remote-questions.js";
import { checkReport, News, type ReconcileReport } from "./remote/report.js";

/** The functions of a kind that this file calls. */
export interface RemoteParts<In, R, C> {
  /** Starts the work, or finds it again. */
  readonly run: (ctx: TaskContext<C>, input: In) => unknown;
  /** Polls the work; `undefined`: the result of `run` ends the task. */
  readonly reconcile: ((record: TaskRecord) => ReconcileReport<R> | PromiseLike<ReconcileReport<R>>) | undefined;
  /** Carries a closed request to the remote. */
  readonly answer: AnswerHook | undefined;
  /** Cleans up the work after a stop. */
  readonly cancel: ((record: TaskRecord, reason: string) => void | PromiseLike<void>) | undefined;
}

type Hooks = Pick<RemoteParts<never, never, never>, "answer" | "cancel">;
type Reconcile<R> = NonNullable<RemoteParts<never, R, never>["reconcile"]>;

/** The pause after a poll that brought news. It doubles after each poll without news, up to `LONGEST_PAUSE_MS`. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** A poll without an answer within this time has failed. */
const POLL_MS = 60_000;

/** Makes the function of a task that starts the remote work and settles when that work has ended. */
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
      // The grace bounds this wait: after it the task is abandoned, even if `cancel` has not settled.
      if (ctx.isCancelled) await winding;
    }
  };
}

/**
 * Calls the `cancel` of the kind, except at a shutdown after which the next process resumes the task. An error is
 * logged.
 */
async function windDown(ctx: TaskContext, { cancel }: Hooks): Promise<void> {
  const { record } = ctx;
  const { registry, runner, logger } = Context.coreOf(ctx);
  const task = registry.byId(record.id);
  if (record.stopReason === "shutdown" && task !== undefined && runner.staysActive(task)) return;
  try {
    await runOutside(() => cancel?.(record, record.reason ?? "cancel"));
  } catch (error) {
    logger.warn(`cancel of kind ${record.kind} threw: task ${record.id}`, { error });
  }
}

async function poll<R>(
  ctx: TaskContext,
  reconcile: Reconcile<R>,
  { answer, cancel }: Hooks,
  onEnd: () => void,
): Promise<R> {
  const poller = new Poller(ctx, reconcile);
  const questions = new RemoteQuestions(ctx, answer);
  let pauseMs = FIRST_PAUSE_MS;
  try {
    for (;;) {
      const found = await poller.next();
      const isAsking = found !== undefined && questions.follow(found.report);
      if (found !== undefined && found.report.status !== "running" && found.report.status !== "asking") {
        const { report } = found;
        onEnd();
        if (report.status === "succeeded") return report.value;
        if (report.status === "failed") throw new FailureError(report.code ?? "error", report.message);
        return cancelled(ctx, report.reason);
      }
      if (found?.isNews || isAsking) pauseMs = FIRST_PAUSE_MS;
      await questions.pause(pauseMs);
      if (questions.refusal !== undefined) {
        onEnd();
        await withinGrace(ctx, windDown(ctx, { answer, cancel }));
        throw questions.refusal;
      }
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
  } finally {
    questions.end();
  }
}

/** Resolves when `work` does, at the latest after the grace of the task. */
function withinGrace(ctx: TaskContext, work: Promise<void>): Promise<void> {
  const core = Context.coreOf(ctx);
  return new Promise((resolve) => {
    const alarm = new Alarm(core.loop.clock, ctx.graceMs, resolve);
    void work.then(() => {
      alarm.cancel();
      resolve();
    });
  });
}

/** Polls one remote. A stop does not wait for an answer; one listener for the stop serves all polls. */
class Poller<R> {
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

  /**
   * Polls once. `undefined`: the poll threw, gave no answer in time, or returned an invalid report; that is logged, and
   * the remote is polled again.
   */
  async next(): Promise<{ readonly report: ReconcileReport<R>; readonly isNews: boolean } | undefined> {
    const ctx = this.#ctx;
    const { record } = ctx;
    const core = Context.coreOf(ctx);
    try {
      const report = await inTurn(ctx, this.#askedAt, () => this.#poll());
      checkReport<R>(report);
      return { report, isNews: this.#news.write(report) };
    } catch (error) {
      if (ctx.isCancelled) throw error;
      const { id, kind } = record;
      core.logger.warn(`reconcile of kind ${kind} failed: task ${id} is asked about again`, { error });
      return undefined;
    }
  }

  /** Makes the poll when it is the turn of this task. */
  async #poll(): Promise<unknown> {
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

/** Stops the task with the reason of the remote, because the work was cancelled where it runs. */
async function cancelled(ctx: TaskContext, reason: string): Promise<never> {
  const core = Context.coreOf(ctx);
  const task = core.registry.byId(ctx.id);
  if (task !== undefined) core.runner.stop(task, "cancel", reason);
  await ctx.cancelled();
  throw ctx.signal.reason;
}
