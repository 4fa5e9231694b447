// Remote questions: the question of a remote, as a request of its task (§16).
//
// Owns the current question of the remote. A report opens one request, which stays the same over all polls and over
// restarts (A3); a report that no longer asks withdraws it. The `answer` of the kind gets the closed request, until one
// call succeeds. Waiting for the answer is a wait of the task, so that it holds no slot (A5).

import { isErrandError } from "../../core/task/errors.js";
import type { TaskRecord } from "../../core/task/record.js";
import type { InboxRequest } from "../../core/task/request.js";
import { runOutside } from "../../core/values/outside.js";
import { Context } from "../../session/context.js";
import type { TaskContext } from "../../session/session.js";
import { type AskingReport, questionOf, type ReconcileReport } from "./report.js";

/** The `answer` of a kind. */
export type AnswerHook = (record: TaskRecord, request: InboxRequest) => void | PromiseLike<void>;

interface OpenQuestion {
  readonly key: string;
  /** The request, after it was answered, rejected or expired. */
  closed?: InboxRequest;
  /** `calling`: the hook has not settled. `failed`: the next report that still asks calls it again. */
  hook?: "calling" | "failed" | "done";
}

/** Follows the questions in the reports of one attempt. */
export class RemoteQuestions {
  readonly #ctx: TaskContext;
  readonly #answer: AnswerHook | undefined;
  #current: OpenQuestion | undefined;
  #isFirst = true;
  #isOver = false;
  /** The next poll is due now: the question was closed, or the remote has received its answer. */
  #isDue = false;
  #wake: () => void = () => {};
  /**
   * The error of a request that was rejected or expired, when the kind has no `answer` that could carry it to the
   * remote (A4).
   */
  refusal: unknown;

  constructor(ctx: TaskContext, answer: AnswerHook | undefined) {
    this.#ctx = ctx;
    this.#answer = answer;
  }

  /**
   * Opens, keeps or withdraws the request that the report asks for. Returns true when the question has changed since
   * the last report.
   */
  follow(report: ReconcileReport<unknown>): boolean {
    const key = report.status === "asking" ? report.key : undefined;
    const isChanged = this.#current?.key !== key;
    if (isChanged || this.#isFirst) this.#withdrawOthers(key);
    this.#isFirst = false;
    if (isChanged) this.#current = undefined;
    if (report.status !== "asking") return false;
    if (this.#current === undefined) void this.#ask(report, (this.#current = { key: report.key }));
    else if (this.#current.hook === "failed") this.#callHook(this.#current);
    return isChanged;
  }

  /** Sleeps before the next poll. A question that is closed meanwhile ends the sleep early. */
  async pause(ms: number): Promise<void> {
    if (this.#isDue || this.#current === undefined) {
      if (!this.#isDue) await this.#ctx.sleep(ms);
      this.#isDue = false;
      return;
    }
    const waking = new AbortController();
    this.#wake = () => waking.abort();
    try {
      await this.#ctx.sleep(ms, { signal: waking.signal });
    } catch (error) {
      if (this.#ctx.isCancelled || !waking.signal.aborted) throw error;
    } finally {
      this.#wake = () => {};
      this.#isDue = false;
    }
  }

  /** Stops following: the remote or its task has ended. */
  end(): void {
    this.#isOver = true;
  }

  async #ask(report: AskingReport, asked: OpenQuestion): Promise<void> {
    const { isApproval, question } = questionOf(report);
    const { question: text, ...options } = question;
    let refusal: unknown;
    try {
      if (isApproval) await this.#ctx.approve(text, options);
      else await this.#ctx.ask(question);
    } catch (error) {
      if (this.#isOver || this.#ctx.isCancelled || this.#current !== asked) return;
      if (!isErrandError(error, "REQUEST_REJECTED") && !isErrandError(error, "REQUEST_EXPIRED")) {
        this.#current = undefined;
        return this.#warn("the question of a report could not be asked", error);
      }
      refusal = error;
    }
    const { registry, requests } = Context.coreOf(this.#ctx);
    const task = registry.byId(this.#ctx.id);
    const closed = task === undefined ? undefined : requests.keyed(task, asked.key);
    if (this.#isOver || this.#current !== asked || closed === undefined) return;
    asked.closed = closed;
    if (this.#answer !== undefined) return this.#callHook(asked);
    this.refusal = refusal;
    this.#pollNow();
  }

  /** Passes the closed request to the hook. Polls continue meanwhile, so a hook that never settles blocks nothing. */
  #callHook(asked: OpenQuestion): void {
    const { closed } = asked;
    if (closed === undefined) return;
    asked.hook = "calling";
    const { record } = this.#ctx;
    const failed = (error: unknown) => {
      asked.hook = "failed";
      if (!this.#isOver) this.#warn("answer threw, and is called again if the remote still asks", error);
    };
    runOutside(async () => this.#answer?.(record, closed)).then(() => {
      asked.hook = "done";
      this.#pollNow();
    }, failed);
  }

  /**
   * Withdraws requests that are no longer asked, also those of an earlier process at the first report of an attempt.
   */
  #withdrawOthers(key: string | undefined): void {
    const { registry, requests } = Context.coreOf(this.#ctx);
    const task = registry.byId(this.#ctx.id);
    if (task !== undefined) requests.withdrawOthers(task, key, this.#current?.key);
  }

  #pollNow(): void {
    this.#isDue = true;
    this.#wake();
  }

  #warn(what: string, error: unknown): void {
    const { id, kind } = this.#ctx.record;
    Context.coreOf(this.#ctx).logger.warn(`${what}: task ${id} of kind ${kind}`, { error });
  }
}
