// Remote: a task whose work goes on outside: started by its function, looked after until it ends, and wound down when the task is stopped.
//
// Made of what a context can do, so that it holds no slot while it waits, and everything it tells is fenced like any write of a function.

import { runOutside } from "../core/ambient.js";
import { handled } from "../core/pending-wait.js";
import type { LinksInput, Progress, TaskRecord, UsageReport } from "../core/record.js";
import { FailureError } from "../core/settled.js";
import type { FailureCode } from "../core/status.js";
import { Context, type TaskContext } from "../session/context.js";

/** What a poll of a remote found: news, and its end if it has ended. `usage` is what was used since the last report. */
export type ReconcileReport<R> = {
  progress?: Progress | undefined;
  summary?: string | undefined;
  usage?: UsageReport | undefined;
  links?: LinksInput | undefined;
} & (
  | { status: "running" }
  | { status: "succeeded"; value: R }
  | { status: "failed"; message: string; code?: FailureCode | undefined }
  | { status: "cancelled"; reason: string }
);

export interface RemoteParts<In, R, C> {
  readonly run: (ctx: TaskContext<C>, input: In) => unknown;
  readonly reconcile: ((record: TaskRecord) => ReconcileReport<R> | PromiseLike<ReconcileReport<R>>) | undefined;
  readonly cancel: ((record: TaskRecord, reason: string) => void | PromiseLike<void>) | undefined;
  readonly canReattach: unknown;
}

type Hooks = Pick<RemoteParts<never, never, never>, "cancel" | "canReattach">;
type Reconcile<R> = NonNullable<RemoteParts<never, R, never>["reconcile"]>;

/** Between polls that bring nothing new the pause doubles, up to the longest. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

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
      if (value !== undefined || parts.reconcile === undefined) return value;
      return await poll(ctx, parts.reconcile, () => (hasEnded = true));
    } finally {
      // Within the grace: after it the task is over, whatever is still wound down.
      if (ctx.isCancelled) await winding;
    }
  };
}

/** A shutdown leaves what the next process goes on with. */
async function windDown(ctx: TaskContext, { cancel, canReattach }: Hooks): Promise<void> {
  const { record } = ctx;
  if (record.stopReason === "shutdown" && canReattach !== undefined) return;
  try {
    await runOutside(() => cancel?.(record, record.reason ?? "cancel"));
  } catch (error) {
    Context.coreOf(ctx).logger?.warn(`cancel of kind ${record.kind} threw: task ${record.id}`, { error });
  }
}

async function poll<R>(ctx: TaskContext, reconcile: Reconcile<R>, onEnd: () => void): Promise<R> {
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    const report = await asked(ctx, reconcile);
    const isNews = report !== undefined && tell(ctx, report);
    if (report !== undefined && report.status !== "running") {
      onEnd();
      if (report.status === "succeeded") return report.value;
      if (report.status === "failed") throw new FailureError(report.code ?? "error", report.message);
      return cancelled(ctx, report.reason);
    }
    pauseMs = isNews ? FIRST_PAUSE_MS : pauseMs;
    await ctx.sleep(pauseMs);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** `undefined`: it threw, and is asked again. A stop does not wait for an answer. */
async function asked<R>(ctx: TaskContext, reconcile: Reconcile<R>): Promise<ReconcileReport<R> | undefined> {
  const stopped = handled(ctx.cancelled().then(() => Promise.reject<never>(ctx.signal.reason)));
  const report = handled(Promise.resolve(ctx.record).then((record) => runOutside(() => reconcile(record))));
  try {
    return await Promise.race([report, stopped]);
  } catch (error) {
    if (ctx.isCancelled) throw error;
    const { id, kind } = ctx.record;
    Context.coreOf(ctx).logger?.warn(`reconcile of kind ${kind} threw: task ${id} is asked about again`, { error });
    return undefined;
  }
}

/** Whether there was anything to tell. */
function tell(ctx: TaskContext, { progress, summary, usage, links }: ReconcileReport<unknown>): boolean {
  const { record } = ctx;
  const isNew = progress !== undefined && JSON.stringify(progress) !== JSON.stringify(record.progress);
  if (isNew) ctx.progress(progress);
  const isSaid = summary !== undefined && summary !== record.summary;
  if (isSaid) ctx.summary(summary);
  if (usage !== undefined) ctx.reportUsage(usage);
  if (links !== undefined) ctx.link(links);
  ctx.heartbeat();
  return isNew || isSaid || usage !== undefined;
}

/** It was cancelled where it runs: so is the task, in the same words. */
async function cancelled(ctx: TaskContext, reason: string): Promise<never> {
  const core = Context.coreOf(ctx);
  const task = core.registry.byId(ctx.id);
  if (task !== undefined) core.stop(task, "cancel", reason);
  await ctx.cancelled();
  throw ctx.signal.reason;
}
