// Remote: a task whose work goes on outside: started by its function, looked after until it ends, and wound down when the task is stopped.
//
// Made of what a context can do, so that it holds no slot while it waits, and everything it tells is fenced like any write of a function.

import { runOutside } from "../core/ambient.js";
import { checkOneOf, checkText, checkType } from "../core/options.js";
import type { LinksInput, Progress, TaskRecord, UsageReport } from "../core/record.js";
import { FailureError } from "../core/settled.js";
import { FAILURE_CODES, type FailureCode } from "../core/status.js";
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
}

type Hooks = Pick<RemoteParts<never, never, never>, "cancel">;
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
      hasEnded = value !== undefined || parts.reconcile === undefined;
      if (hasEnded || parts.reconcile === undefined) return value;
      return await poll(ctx, parts.reconcile, () => (hasEnded = true));
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

async function poll<R>(ctx: TaskContext, reconcile: Reconcile<R>, onEnd: () => void): Promise<R> {
  const answers = new Answers(ctx, reconcile);
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    const found = await answers.next();
    if (found !== undefined && found.report.status !== "running") {
      const { report } = found;
      onEnd();
      if (report.status === "succeeded") return report.value;
      if (report.status === "failed") throw new FailureError(report.code ?? "error", report.message);
      return cancelled(ctx, report.reason);
    }
    if (found?.isNews) pauseMs = FIRST_PAUSE_MS;
    await ctx.sleep(pauseMs);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** What the remote says, each time it is asked. A stop does not wait for an answer; it is listened for once, however often is asked. */
class Answers<R> {
  readonly #ctx: TaskContext;
  readonly #reconcile: Reconcile<R>;
  #stop: (reason: unknown) => void = () => {};

  constructor(ctx: TaskContext, reconcile: Reconcile<R>) {
    this.#ctx = ctx;
    this.#reconcile = reconcile;
    void ctx.cancelled().then(() => this.#stop(ctx.signal.reason));
  }

  /** `undefined`: it threw, or reported what is no report, and is asked again. */
  async next(): Promise<{ readonly report: ReconcileReport<R>; readonly isNews: boolean } | undefined> {
    const ctx = this.#ctx;
    const { record } = ctx;
    try {
      const report = await new Promise<ReconcileReport<R>>((resolve, reject) => {
        this.#stop = reject;
        if (ctx.isCancelled) reject(ctx.signal.reason);
        else runOutside(async () => this.#reconcile(record)).then(resolve, reject);
      });
      checkReport(report);
      return { report, isNews: tell(ctx, report) };
    } catch (error) {
      if (ctx.isCancelled) throw error;
      const { id, kind } = record;
      Context.coreOf(ctx).logger.warn(`reconcile of kind ${kind} failed: task ${id} is asked about again`, { error });
      return undefined;
    }
  }
}

function checkReport(report: unknown): asserts report is ReconcileReport<unknown> {
  checkType("the report", report, "object");
  const { status, message, code, reason } = report as { [field: string]: unknown };
  checkType("the report's status", status, "string");
  checkOneOf("the report's status", status, ["running", "succeeded", "failed", "cancelled"]);
  if (status === "failed") {
    checkType("the report's message", message, "string");
    checkOneOf("the report's code", code, FAILURE_CODES);
  }
  if (status === "cancelled") {
    checkType("the report's reason", reason, "string");
    checkText("the report's reason", reason);
  }
}

/** What is new is written; whether there was anything. */
function tell(ctx: TaskContext, { progress, summary, usage, links }: ReconcileReport<unknown>): boolean {
  const { record } = ctx;
  const isFurther = progress !== undefined && !isSame(progress, record.progress);
  const isSaid = summary !== undefined && summary !== record.summary;
  const isLinked = links !== undefined && !isWithin(links, record.links);
  if (isFurther) ctx.progress(progress);
  if (isSaid) ctx.summary(summary);
  if (isLinked) ctx.link(links);
  if (usage !== undefined) ctx.reportUsage(usage);
  ctx.heartbeat();
  return isFurther || isSaid || isLinked || usage !== undefined;
}

function isSame(a: Progress, b: Progress | undefined): boolean {
  return b !== undefined && a.current === b.current && a.total === b.total && a.unit === b.unit && a.label === b.label;
}

function isWithin({ childSessionId, remoteTaskId, resourceIds = [] }: LinksInput, known: TaskRecord["links"]): boolean {
  return (
    (childSessionId === undefined || childSessionId === known.childSessionId) &&
    (remoteTaskId === undefined || remoteTaskId === known.remoteTaskId) &&
    resourceIds.every((id) => known.resourceIds?.includes(id))
  );
}

/** It was cancelled where it runs: so is the task, in the same words. */
async function cancelled(ctx: TaskContext, reason: string): Promise<never> {
  const core = Context.coreOf(ctx);
  const task = core.registry.byId(ctx.id);
  if (task !== undefined) core.stop(task, "cancel", reason);
  await ctx.cancelled();
  throw ctx.signal.reason;
}
