// Asking: the question of a remote, as a request of its task (§16).
//
// Owns which question the remote asks now: its report opens one request, the same however often the remote is polled and over restarts (A3);
// a report that asks it no more withdraws it. The closed request goes back to the remote through `answer` of its kind, until one call of it
// succeeds. Waiting for the answer is a wait of the task, so that it holds no slot (A5).

import { isErrandError } from "../../core/task/errors.js";
import type { TaskRecord } from "../../core/task/record.js";
import type { InboxRequest } from "../../core/task/request.js";
import { runOutside } from "../../core/values/outside.js";
import { Context } from "../../session/context.js";
import type { TaskContext } from "../../session/session.js";
import { type AskingReport, questionOf, type ReconcileReport } from "./report.js";

export type AnswerHook = (record: TaskRecord, request: InboxRequest) => void | PromiseLike<void>;

interface Asked {
  readonly key: string;
  /** The request, once it is answered, rejected or expired. */
  closed?: InboxRequest;
  /** `calling`: the hook has not settled; `failed`: the next report that asks calls it again. */
  hook?: "calling" | "failed" | "done";
}

export class Asking {
  readonly #ctx: TaskContext;
  readonly #answer: AnswerHook | undefined;
  #current: Asked | undefined;
  #isFirst = true;
  #isOver = false;
  /** The remote is to be polled now: the question was closed, or the remote has its answer. */
  #isDue = false;
  #wake: () => void = () => {};
  /** A4: the person said no, or did not say anything in time, and the kind has no `answer` that could tell the remote. */
  refusal: unknown;

  constructor(ctx: TaskContext, answer: AnswerHook | undefined) {
    this.#ctx = ctx;
    this.#answer = answer;
  }

  /** Whether the report asks something that the one before did not. */
  follow(report: ReconcileReport<unknown>): boolean {
    const key = report.status === "asking" ? report.key : undefined;
    const isChanged = this.#current?.key !== key;
    if (isChanged || this.#isFirst) this.#withdrawOthers(key);
    this.#isFirst = false;
    if (isChanged) this.#current = undefined;
    if (report.status !== "asking") return false;
    if (this.#current === undefined) void this.#ask(report, (this.#current = { key: report.key }));
    else if (this.#current.hook === "failed") this.#handBack(this.#current);
    return isChanged;
  }

  /** Pauses before the next poll; for as long as is left when the question is closed meanwhile. */
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

  /** The remote has ended, or its task has. */
  end(): void {
    this.#isOver = true;
  }

  async #ask(report: AskingReport, asked: Asked): Promise<void> {
    const { isApproval, question } = questionOf(report);
    const { question: words, ...options } = question;
    let refusal: unknown;
    try {
      if (isApproval) await this.#ctx.approve(words, options);
      else await this.#ctx.ask<unknown>(question);
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
    if (this.#answer !== undefined) return this.#handBack(asked);
    this.refusal = refusal;
    this.#pollNow();
  }

  /** Polls go on meanwhile: a hook that never settles keeps its task from nothing. */
  #handBack(asked: Asked): void {
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

  /** The first report of an attempt too: what an earlier process asked may be asked no more. */
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
