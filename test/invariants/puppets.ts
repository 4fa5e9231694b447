// Puppets: a real manager whose tasks do what the steps of a program say.
//
// Each function is a puppet: its calls are made inside its own async context, in the very call of `play`, and it ends when a step, its
// signal or one of its waits says so. What waits gave and what was told is kept as text, for comparing.

import { AsyncResource } from "node:async_hooks";
import { getEventListeners } from "node:events";
import {
  type AwaitResult,
  isErrandError,
  type Message,
  type Part,
  type Session,
  type TaskContext,
  type TaskEvent,
  type TaskHandle,
  TaskManager,
  type TaskOutcome,
} from "errand";
import { countedIds, manualClock } from "errand/testing";
import { deferred, facts, settled } from "../support/basics.js";
import {
  type HeardFact,
  isWait,
  type Note,
  type PlainStep,
  type Rules,
  SESSION,
  type SpawnOptions,
  type Via,
  type WaitStep,
} from "./steps.js";

interface Puppet {
  readonly ctx: TaskContext;
  /** Makes a call as code of this function. */
  readonly inside: <R>(call: () => R) => R;
  readonly finish: () => void;
  readonly fail: (error: unknown) => void;
}

type Through = { readonly by?: string | undefined; readonly ctx?: string | undefined; readonly via?: Via | undefined };

export type Seen = { readonly isOk: boolean; readonly text: string; readonly error?: unknown };

/** The events of a fact. */
const HEARD: { readonly [F in HeardFact]: readonly TaskEvent["type"][] } = {
  created: ["task.created"],
  started: ["task.started"],
  resumed: ["task.resumed"],
  stopped: ["task.cancelRequested"],
  returned: ["task.returned"],
  ended: ["task.succeeded", "task.failed", "task.cancelled", "task.interrupted"],
  request: ["request.opened", "request.answered", "request.rejected", "request.expired", "request.withdrawn"],
};

export class Puppets {
  readonly manager: TaskManager;
  readonly clock = manualClock();
  readonly told: TaskEvent[];
  readonly handles = new Map<string, TaskHandle>();
  /** How each wait that is over ended. */
  readonly seen = new Map<string, Seen>();
  readonly outcomes = new Map<string, TaskOutcome>();
  readonly signals = new Map<string, AbortController>();
  isClosed = false;
  readonly #names = new Map<string, string>();
  readonly #puppets = new Map<string, Puppet>();
  readonly #readers = new Map<string, AsyncIterator<TaskOutcome>>();
  #sent = 0;

  readonly #perform: (calls: readonly PlainStep[]) => void;

  /** `perform` makes the calls of a function or a listener in the middle of a turn. */
  constructor(rules: Rules, perform: (calls: readonly PlainStep[]) => void) {
    this.#perform = perform;
    this.manager = new TaskManager({ ...rules, clock: this.clock, ids: countedIds() });
    this.told = facts(this.manager);
  }

  /** Makes the call; what it answers, or is refused with, is there once everything is quiet. */
  play(step: PlainStep, requestId: (wait: string) => string): () => string {
    let code = "";
    const refused = (error: unknown): void => {
      code = isErrandError(error) ? error.code : String(error);
    };
    try {
      const answer = isWait(step) ? this.#wait(step) : this.#act(step, requestId);
      answer?.catch(refused);
    } catch (error) {
      refused(error);
    }
    return () => code;
  }

  async quiet(): Promise<void> {
    await settled(5);
    for (const [name, handle] of this.handles) {
      if (!this.outcomes.has(name) && handle.record.finishedAt !== undefined)
        this.outcomes.set(name, await handle.outcome());
    }
  }

  name(id: string): string {
    return this.#names.get(id) ?? id;
  }

  listenersOf(signal: string): number {
    const controller = this.signals.get(signal);
    return controller === undefined ? 0 : getEventListeners(controller.signal, "abort").length;
  }

  textOf(outcome: TaskOutcome): string {
    return `${this.name(outcome.id)} ${wordsOf(outcome)}`;
  }

  #act(step: Exclude<PlainStep, WaitStep>, requestId: (wait: string) => string): Promise<unknown> | undefined {
    const { manager } = this;
    switch (step.do) {
      case "spawn":
        this.#spawn(step.task, step.with);
        return;
      case "return":
        void Promise.resolve().then(this.#puppet(step.task).finish);
        return;
      case "throw": {
        const { fail } = this.#puppet(step.task);
        const error = step.with.error === undefined ? undefined : this.seen.get(step.with.error)?.error;
        void Promise.resolve().then(() => fail(error ?? new Error("out of paper")));
        return;
      }
      case "answer":
        return manager.inbox.answer(requestId(step.wait), "yes", { by: "ada" });
      case "reject":
        return manager.inbox.reject(requestId(step.wait), "no", { by: "ada" });
      case "send":
        return this.#handle(step.task).send(`message ${++this.#sent}`);
      case "note":
        return note(this.#puppet(step.task).ctx, step.what);
      case "outcomes": {
        const handles = step.tasks.map((task) => this.#handle(task));
        const read = (): AsyncIterable<TaskOutcome> =>
          this.#scope(step.with).outcomes(handles, this.#signalled(step.with.signal));
        this.#readers.set(step.reader, this.#from(step.with.by, read)[Symbol.asyncIterator]());
        return;
      }
      case "leave":
        void this.#reader(step.reader).return?.();
        return;
      case "abort":
        this.#signal(step.signal).abort(`signal ${step.signal}`);
        return;
      case "on":
        this.#listen(step.fact, step.calls);
        return;
      case "pause":
        manager.pause(step.lane);
        return;
      case "resume":
        manager.resume(step.lane);
        return;
      case "advance":
        return this.clock.advance(step.ms);
      case "close":
        return manager.close({ graceMs: step.graceMs }).then(() => {
          this.isClosed = true;
        });
    }
  }

  #listen(fact: HeardFact, calls: readonly PlainStep[]): void {
    const offs = HEARD[fact].map((type) =>
      this.manager.on(type, () => {
        for (const off of offs) off();
        this.#perform(calls);
      }),
    );
  }

  #spawn(name: string, options: SpawnOptions): void {
    const { by, via, ctx, parent, body = "obeys", first = [], signal, ...rest } = options;
    const work = (ctx: TaskContext): unknown => {
      const ended = this.#enter(name, ctx, body === "obeys");
      this.#perform(first);
      if (body === "returns") return name;
      if (body === "throws") throw new Error("out of paper");
      return ended;
    };
    const given = {
      ...rest,
      ...(parent === undefined ? {} : { parent: this.#handle(parent) }),
      ...this.#signalled(signal),
    };
    const handle = this.#from(by, () => this.#scope({ by, via, ctx }).spawn(work, given));
    this.handles.set(name, handle);
    this.#names.set(handle.id, name);
  }

  #enter(name: string, ctx: TaskContext, isObedient: boolean): Promise<unknown> {
    const gate = deferred<unknown>();
    const context = new AsyncResource("puppet");
    const finish = (): void => gate.resolve(name);
    gate.promise.catch(() => {}); // Of a function that ended at once nobody has it.
    this.#puppets.set(name, { ctx, inside: (call) => context.runInAsyncScope(call), finish, fail: gate.reject });
    // A tick later, like a function that awaits what the signal told it.
    const obey = (): unknown => Promise.resolve().then(() => gate.reject(ctx.signal.reason));
    if (isObedient) ctx.signal.addEventListener("abort", obey, { once: true });
    return gate.promise;
  }

  #wait(step: WaitStep): undefined {
    const { as, with: options } = step;
    const promise = this.#from(options.by, () => this.#begin(step));
    if (options.unread && options.then === undefined) return;
    promise.then(
      (value) => this.seen.set(as, { isOk: true, text: this.#show(step, value) }),
      (error: unknown) => this.seen.set(as, { isOk: false, text: this.#showError(error), error }),
    );
    const { then, by } = options;
    if (then === undefined) return;
    if (then !== "return") {
      const follow = (): void => this.#perform(then);
      promise.then(follow, follow);
    } else if (by !== undefined) {
      const { finish, fail } = this.#puppet(by);
      promise.then(finish, fail);
    }
  }

  #begin(step: WaitStep): Promise<unknown> {
    const { by, ctx = by } = step.with;
    const signal = this.#signalled(step.with.signal);
    switch (step.do) {
      case "sleep":
        return this.#puppet(ctx).ctx.sleep(step.ms, signal);
      case "receive":
        return this.#puppet(ctx).ctx.receive({ timeoutMs: step.with.timeoutMs, ...signal });
      case "ask": {
        const { key, question = "which?", timeoutMs, onTimeout } = step.with;
        const late = onTimeout === "default" ? { onTimeout: { default: "default" } } : {};
        return this.#puppet(ctx).ctx.ask({ question, key, timeoutMs, ...late, ...signal });
      }
      case "awaitTasks": {
        const { until, timeoutMs, stopOnRequest, cancelRest } = step.with;
        const handles = step.tasks.map((task) => this.#handle(task));
        return this.#scope(step.with).awaitTasks(handles, { until, timeoutMs, stopOnRequest, cancelRest, ...signal });
      }
      case "result":
        return this.#handle(step.task).result(signal);
      case "outcome":
        return this.#handle(step.task).outcome({ timeoutMs: step.with.timeoutMs, ...signal });
      case "cancel":
        return this.#handle(step.task).cancel(step.with.reason, signal);
      case "cancelAll":
        return this.#scope(step.with).cancelAll(undefined, undefined, signal);
      case "next":
        return this.#reader(step.reader).next();
      case "idle":
        return this.manager.idle(signal);
    }
  }

  // ── what a step names ────────────────────────────────────────────────────

  #puppet(name: string | undefined): Puppet {
    const puppet = name === undefined ? undefined : this.#puppets.get(name);
    if (puppet === undefined) throw new Error(`${name} has not started`);
    return puppet;
  }

  #handle(name: string): TaskHandle {
    const handle = this.handles.get(name);
    if (handle === undefined) throw new Error(`there is no task ${name}`);
    return handle;
  }

  #reader(name: string): AsyncIterator<TaskOutcome> {
    const reader = this.#readers.get(name);
    if (reader === undefined) throw new Error(`there is no reader ${name}`);
    return reader;
  }

  #scope({ by, ctx = by, via }: Through): Session | TaskManager {
    if (via === "session") return this.manager.session(SESSION);
    return ctx === undefined || via === "manager" ? this.manager : this.#puppet(ctx).ctx;
  }

  #from<R>(by: string | undefined, call: () => R): R {
    return by === undefined ? call() : this.#puppet(by).inside(call);
  }

  #signal(name: string): AbortController {
    const controller = this.signals.get(name) ?? new AbortController();
    this.signals.set(name, controller);
    return controller;
  }

  #signalled(name: string | undefined): { signal?: AbortSignal } {
    return name === undefined ? {} : { signal: this.#signal(name).signal };
  }

  // ── what came out, as text ───────────────────────────────────────────────

  #show(step: WaitStep, value: unknown): string {
    switch (step.do) {
      case "sleep":
        return "slept";
      case "idle":
        return "idle";
      case "ask":
      case "result":
        return String(value);
      case "receive":
        return value === undefined ? "nothing" : partText((value as Message).content[0]);
      case "outcome":
      case "cancel":
        return value === undefined ? "nothing" : this.textOf(value as TaskOutcome);
      case "cancelAll":
        return (value as TaskOutcome[]).map((outcome) => this.textOf(outcome)).join("; ");
      case "next": {
        const { done, value: outcome } = value as IteratorResult<TaskOutcome>;
        return done === true ? "done" : this.textOf(outcome);
      }
      case "awaitTasks": {
        const { reason, outcomes, ended, pending } = value as AwaitResult<readonly TaskHandle[]>;
        const places = outcomes.map((outcome, at) =>
          outcome === undefined ? `${step.tasks[at]} -` : this.textOf(outcome),
        );
        const names = [ended, pending].map((list) => list.map(({ id }) => this.name(id)).join(", "));
        return `${reason}: ${[places.join(", "), ...names].join(" | ")}`;
      }
    }
  }

  #showError(error: unknown): string {
    if (!isErrandError(error)) return String(error);
    if (error.code === "TASK_OUTCOME") return `${error.code} ${this.textOf(error.outcome)}`;
    return "reason" in error ? `${error.code} ${error.reason}` : error.code;
  }
}

function wordsOf(outcome: TaskOutcome): string {
  const abandoned = "abandoned" in outcome ? ", abandoned" : "";
  switch (outcome.status) {
    case "succeeded":
      return `succeeded ${String(outcome.value)}`;
    case "failed":
      return `failed ${outcome.error.code}${abandoned}`;
    case "cancelled":
    case "interrupted":
      return `${outcome.status} ${outcome.reason}${abandoned}`;
  }
}

function partText(part: Part | undefined): string {
  return part?.type === "text" ? part.text : "";
}

function note(ctx: TaskContext, what: Note): Promise<unknown> | undefined {
  switch (what) {
    case "progress":
      ctx.progress({ current: 1 });
      return;
    case "summary":
      ctx.summary("half of it");
      return;
    case "link":
      ctx.link({ resourceIds: ["r1"] });
      return;
    case "artifact":
      ctx.artifact({ name: "a", type: "text/plain", data: "a" });
      return;
    case "usage":
      ctx.reportUsage({ inputTokens: 1 });
      return;
    case "emit":
      ctx.emit("page");
      return;
    case "post":
      return ctx.post("hello");
    case "heartbeat":
      ctx.heartbeat();
      return;
    case "output":
      ctx.output("stdout", "line");
      return;
  }
}
