// Work: what a process does until it is killed: a little of everything that a store must keep.
//
// Tells of each thing when it was told of it, and of nothing that was only decided. What it says is of numbers it can be held to.

import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";
import { inspect } from "node:util";
import {
  type InboxRequest,
  isErrandError,
  type Json,
  type TaskContext,
  type TaskFunction,
  type TaskHandle,
  type TaskManager,
  type TaskOutcome,
} from "errand";
import { type Input, type KindName, type Run, SESSIONS } from "./setting.js";
import { tell } from "./told.js";

/** Tasks at a time. */
const CROWD = 30;
const LONG_OUTPUT = 66 * 1024;

type Roll = (sides: number) => number;

export class Work {
  readonly #roll: Roll;
  readonly #generation: number;
  #made = 0;
  /** No more is begun. */
  isClosing = false;

  constructor(roll: Roll, generation: number) {
    this.#roll = roll;
    this.#generation = generation;
  }

  /** Until `rounds` have passed. */
  async goOn(manager: TaskManager, rounds: number): Promise<void> {
    for (const { id } of manager.list({ status: ["queued", "running", "blocked"] })) {
      const handle = manager.get(id);
      if (handle !== undefined) this.#follow(handle);
    }
    void this.#answerAll(manager);
    for (let round = 0; round < rounds; round++) {
      for (let acts = 1 + this.#roll(4); acts > 0; acts--) this.#act(manager);
      if (this.#roll(4) > 0) await nextTurn();
      else await pause(1 + this.#roll(3));
    }
    this.isClosing = true;
  }

  // ── from outside ─────────────────────────────────────────────────────────

  #act(manager: TaskManager): void {
    const living = manager.list({ status: ["queued", "running", "blocked"] });
    const any = living[this.#roll(Math.max(1, living.length))];
    const handle = any === undefined ? undefined : manager.get(any.id);
    const dice = this.#roll(100);
    if (living.length < CROWD && dice < 60) this.#spawn(manager);
    else if (handle === undefined) return;
    else if (dice < 75) this.#send(handle);
    else if (dice < 84) this.#tellOutcome(handle.cancel(`because ${dice}`));
    else if (dice < 86) {
      const session = manager.session(SESSIONS[this.#roll(SESSIONS.length)] ?? SESSIONS[0]);
      session.cancelAll(undefined, "all of it").then(
        (outcomes) => outcomes.forEach((outcome) => tell({ told: "outcome", outcome })),
        () => undefined,
      );
    } else if (dice < 90) this.#spawnAgain(manager);
    else if (dice < 96) {
      // Read, and acknowledged or not: what was not comes again, to this process or the next (N1).
      const session = manager.session(SESSIONS[this.#roll(SESSIONS.length)] ?? SESSIONS[0]);
      const isHeard = this.#roll(3) > 0;
      session.nextNotices({ timeoutMs: 0 }).then(
        (batch) => (isHeard ? batch?.ack().catch(() => undefined) : undefined),
        () => undefined,
      );
    }
  }

  #spawn(manager: TaskManager): void {
    const session = this.#roll(3) > 0 ? manager.session(SESSIONS[this.#roll(SESSIONS.length)] ?? SESSIONS[0]) : manager;
    const number = ++this.#made;
    const dice = this.#roll(100);
    const id = this.#roll(2) > 0 ? { id: `job-${this.#generation}-${number}` } : {};
    const call = this.#roll(3) > 0 ? {} : { callId: `call-${this.#generation}-${number}` };
    const options = { ...id, ...call, priority: this.#roll(3), tags: [`n${number}`], metadata: { number } };
    try {
      const input: Input = { pages: 1 + this.#roll(5) };
      let handle: TaskHandle;
      if (dice < 20) handle = session.spawn("crawl", { ...options, input });
      else if (dice < 32) handle = session.spawn("asker", { ...options, input });
      else if (dice < 38) handle = session.spawn("picky", { ...options, input: { pages: 30 } });
      else if (dice < 42) handle = session.spawn("twice", { ...options, input: { pages: 30 } });
      else if (dice < 46) handle = session.spawn("once", { ...options, input });
      else handle = session.spawn(this.#plain(number), { ...options, ...this.#limits() });
      this.#follow(handle);
      handle.stored().then(
        () => tell({ told: "stored", id: handle.id }),
        () => undefined,
      );
    } catch (error) {
      // A session whose cancelAll() is under way takes none (H3).
      if (!isErrandError(error, "SCOPE_CANCELLED")) this.#breach("spawn", error);
    }
  }

  #limits() {
    const dice = this.#roll(20);
    if (dice === 0) return { timeoutMs: 3 };
    if (dice === 1) return { totalTimeoutMs: 8 };
    if (dice < 5) return { children: "cancel" as const };
    return dice < 8 ? { children: "detach" as const } : {};
  }

  /** The same id of the same owner is the same task, as long as it is kept. */
  #spawnAgain(manager: TaskManager): void {
    const given = manager
      .list()
      .filter(({ id, kind, parentId }) => id.startsWith("job-") && kind === undefined && parentId === undefined);
    const before = given[this.#roll(Math.max(1, given.length))];
    if (before === undefined) return;
    const { id, createdAt, startedAt, sessionId } = before;
    const owner = sessionId === undefined ? manager : manager.session(sessionId);
    try {
      const { record } = owner.spawn(() => this.#breach(`task ${id} ran again`, undefined), { id });
      if (record.createdAt !== createdAt || record.startedAt !== startedAt)
        this.#breach(`the same id ${id} is another task`, undefined);
    } catch (error) {
      this.#breach(`the same id ${id}`, error);
    }
  }

  #send(handle: TaskHandle): void {
    const content = [{ type: "data" as const, data: { note: this.#roll(1000) } }];
    handle.send(content).then(
      (message) => tell({ told: "message", message }),
      () => undefined,
    );
  }

  #follow(handle: TaskHandle): void {
    if (this.#roll(2) > 0) this.#tellOutcome(handle.outcome());
    else
      handle.result().then(
        (value) => tell({ told: "outcome", outcome: { id: handle.id, status: "succeeded", value } }),
        (error: unknown) => {
          if (isErrandError(error, "TASK_OUTCOME")) tell({ told: "outcome", outcome: error.outcome });
        },
      );
  }

  #tellOutcome(promise: Promise<TaskOutcome>): void {
    promise.then(
      (outcome) => tell({ told: "outcome", outcome }),
      () => undefined,
    );
  }

  // ── answering ────────────────────────────────────────────────────────────

  async #answerAll(manager: TaskManager): Promise<void> {
    for await (const request of manager.inbox.watch()) {
      tell({ told: "asked", request });
      const dice = this.#roll(10);
      if (dice < 3) continue; // Left to a later process, or to its expiry.
      if (this.#roll(2) > 0) await nextTurn();
      const { id, kind, choices } = request;
      const value = kind === "approval" ? true : (choices?.[this.#roll(choices.length)] ?? `answer ${dice}`);
      const close = (): Promise<InboxRequest> =>
        dice < 8 ? manager.inbox.answer(id, value, { by: "worker" }) : manager.inbox.reject(id, "no", { by: "worker" });
      this.#tellClosing(id, close());
      if (this.#roll(3) === 0) this.#tellClosing(id, close());
    }
  }

  #tellClosing(requestId: string, closing: Promise<InboxRequest>): void {
    closing.then(
      (request) => tell({ told: "closed", request }),
      (error: unknown) => {
        if (isErrandError(error, "ALREADY_ANSWERED")) tell({ told: "tooLate", requestId });
        else if (!isErrandError(error, "MANAGER_CLOSED") && !isErrandError(error, "REQUEST_NOT_FOUND"))
          this.#breach(`answering ${requestId}`, error);
      },
    );
  }

  // ── kinds ────────────────────────────────────────────────────────────────

  runOf(name: KindName): Run {
    switch (name) {
      case "crawl":
      case "leaf":
        return (ctx, input) => this.#crawl(ctx, input, name === "crawl");
      case "asker":
        return (ctx) => this.#askWithKey(ctx);
      case "picky":
      case "twice":
      case "once":
        return (ctx, { pages }) => this.#linger(ctx, pages);
    }
  }

  /** Page by page, from the last checkpoint on; some pages are a child's. */
  async #crawl(ctx: TaskContext, { pages }: Input, hasChildren: boolean): Promise<Json> {
    tell({ told: "ran", id: ctx.id, attempt: ctx.attempt, checkpoint: jsonOf(ctx.lastCheckpoint) });
    for (let done = doneOf(ctx.lastCheckpoint); done < pages; ) {
      if (hasChildren && done % 2 === 1) {
        const of = done % 4 === 1 ? { id: `${ctx.id}/${done}` } : { callId: `page-${done}` };
        this.#follow(ctx.spawn("leaf", { ...of, input: { pages: 1 + this.#roll(3) } }));
      } else if (hasChildren && this.#roll(4) === 0) {
        this.#follow(ctx.spawn(this.#plain(++this.#made)));
      }
      ctx.reportUsage({ inputTokens: 10 + done, outputTokens: 1, costUsd: 0.25 });
      ctx.progress({ current: done, total: pages, unit: "pages" });
      done++;
      await this.#checkpoint(ctx, { done });
      if (this.#roll(2) === 0) await ctx.sleep(1 + this.#roll(5));
      if (this.#roll(6) === 0) await this.#post(ctx);
      if (this.#roll(6) === 0) ctx.artifact({ name: `page-${done}`, type: "text/plain", data: `page ${done}` });
    }
    return { pages };
  }

  async #askWithKey(ctx: TaskContext): Promise<Json> {
    tell({ told: "ran", id: ctx.id, attempt: ctx.attempt });
    const answer = await ctx.ask({ question: `May ${ctx.id} go on?`, key: "go" });
    tell({ told: "answer", id: ctx.id, value: answer });
    ctx.reportUsage({ outputTokens: 7 });
    // A second question of the same attempt; without a key it is withdrawn with it.
    const choice = await ctx.ask({
      question: "Which?",
      choices: ["left", "right"],
      timeoutMs: 400,
      onTimeout: { default: "left" },
    });
    return { answer, choice };
  }

  /** Long enough that a kill comes in between. */
  async #linger(ctx: TaskContext, pages: number): Promise<Json> {
    tell({ told: "ran", id: ctx.id, attempt: ctx.attempt });
    for (let page = 0; page < pages; page++) {
      ctx.summary(`page ${page}`);
      await ctx.sleep(5);
    }
    return pages;
  }

  // ── functions ────────────────────────────────────────────────────────────

  #plain(number: number): TaskFunction<unknown> {
    const body = this.#body(number, this.#roll(100));
    return (ctx) => {
      tell({ told: "ran", id: ctx.id, attempt: ctx.attempt });
      return body(ctx);
    };
  }

  #body(number: number, dice: number): TaskFunction<unknown> {
    if (dice < 22) return () => ({ number });
    if (dice < 30)
      return () => {
        throw new Error(`number ${number}`);
      };
    if (dice < 38) return () => ({ number, text: String(number % 10).repeat(LONG_OUTPUT + number) });
    if (dice < 46) return (ctx) => this.#ask(ctx, number);
    if (dice < 52) return (ctx) => this.#approve(ctx);
    if (dice < 64) return (ctx) => this.#family(ctx);
    if (dice < 70)
      return (ctx) => ctx.map([1, 2, 3], async (child, item) => (await child.sleep(item), item), { concurrency: 2 });
    if (dice < 80) return (ctx) => this.#receive(ctx);
    if (dice < 90) return (ctx) => this.#report(ctx, number);
    // Hears no signal: a stop abandons it.
    if (dice < 94) return () => pause(30).then(() => number);
    return async (ctx) => (await ctx.sleep(10 + this.#roll(200)), number);
  }

  async #ask(ctx: TaskContext, number: number): Promise<Json> {
    const answer = await ctx.ask({
      question: `What is ${number}?`,
      details: { number },
      timeoutMs: 300,
      onTimeout: { default: "late" },
    });
    if (answer !== "late") tell({ told: "answer", id: ctx.id, value: answer });
    return answer;
  }

  async #approve(ctx: TaskContext): Promise<Json> {
    await ctx.approve("May it?", { timeoutMs: 300 });
    tell({ told: "answer", id: ctx.id, value: true });
    return true;
  }

  async #family(ctx: TaskContext): Promise<Json> {
    const children = Array.from({ length: 1 + this.#roll(3) }, () =>
      ctx.spawn(this.#body(++this.#made, this.#roll(46)), { detached: this.#roll(6) === 0 }),
    );
    for (const child of children) this.#follow(child);
    ctx.reportUsage({ inputTokens: 3, costUsd: 0.5 });
    if (this.#roll(2) > 0) await ctx.awaitTasks(children, { timeoutMs: 5 });
    return children.length;
  }

  async #receive(ctx: TaskContext): Promise<Json> {
    const message = await ctx.receive({ timeoutMs: 40 });
    if (message === undefined) return null;
    tell({ told: "message", message });
    return message.id;
  }

  async #report(ctx: TaskContext, number: number): Promise<Json> {
    ctx.summary(`number ${number}`);
    ctx.link({ resourceIds: [`r${number}`], remoteTaskId: `remote-${number}` });
    ctx.emit("note", { number });
    ctx.output("stdout", "not kept");
    ctx.heartbeat();
    ctx.artifact({ name: "bytes", type: "application/octet-stream", data: Buffer.from(String(number)) });
    ctx.reportUsage({ inputTokens: number, outputTokens: 2, costUsd: 0.125 });
    await this.#post(ctx);
    await this.#checkpoint(ctx, number);
    return null;
  }

  // ── what is told of ──────────────────────────────────────────────────────

  /** From a function that was stopped and given up it is dropped (S2): then nothing is told. */
  async #checkpoint(ctx: TaskContext, value: Json): Promise<void> {
    await ctx.checkpoint(value);
    if (!ctx.isCancelled && !this.isClosing) tell({ told: "checkpoint", id: ctx.id, attempt: ctx.attempt, value });
  }

  async #post(ctx: TaskContext): Promise<void> {
    const message = await ctx.post(`from attempt ${ctx.attempt}`);
    if (!ctx.isCancelled && !this.isClosing) tell({ told: "message", message });
  }

  #breach(what: string, error: unknown): void {
    tell({ told: "breach", what: error === undefined ? what : `${what}: ${inspect(error)}` });
  }
}

function doneOf(checkpoint: unknown): number {
  if (typeof checkpoint !== "object" || checkpoint === null || !("done" in checkpoint)) return 0;
  return typeof checkpoint.done === "number" ? checkpoint.done : 0;
}

/** What `ctx.checkpoint` took is JSON. */
function jsonOf(checkpoint: unknown): Json | undefined {
  return checkpoint as Json | undefined;
}
