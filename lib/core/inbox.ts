// Inbox: the questions tasks ask and the answers people give (DESIGN §7).
//
// Owns every request and who waits for its answer. A request is stored before anyone sees it (A1); an answer is checked before its
// command (A2) and the first one wins; a request is withdrawn with its attempt, unless it has a key (A3). A pending question holds
// no slot: waiting for it is a wait like any other (A5).

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { waiterOf } from "./ambient.js";
import { Alarm } from "./clock.js";
import { deskOf } from "./desk.js";
import {
  AlreadyAnsweredError,
  IdConflictError,
  ManagerClosedError,
  RequestExpiredError,
  RequestNotFoundError,
  RequestRejectedError,
  ScopeCancelledError,
} from "./errors.js";
import type { Ids } from "./ids.js";
import type { Loop } from "./loop.js";
import { checkSignal, checkText, checkType, show } from "./options.js";
import { type AskInput, checkAnswer, takeQuestion, validate, valueOf } from "./question.js";
import {
  type Closing,
  closeRequest,
  fits,
  type InboxRequest,
  isSameQuestion,
  type Question,
  type RequestFilter,
} from "./request.js";
import { Stream } from "./stream.js";
import type { Attempt, OpenWait, Task } from "./task.js";
import { keeperOf, type Waits } from "./waits.js";

/** Where people answer. A pending question holds no slot; a model never answers an approval (A5). */
export interface Inbox {
  /** The open ones, oldest first, unless `status` asks for others. */
  list(filter?: RequestFilter): readonly InboxRequest[];
  get(id: string): InboxRequest | undefined;
  /**
   * The first answer wins; resolves when it is stored. An approval takes `true` alone: "no" is `reject`.
   * `InvalidInputError`: it does not fit, and the request stays open. `AlreadyAnsweredError`: it is not open any more. `RequestNotFoundError`.
   */
  answer(id: string, value: unknown, answered: { by: string }): Promise<InboxRequest>;
  /** The asking function gets `RequestRejectedError` with this reason. Refusals as for `answer`. */
  reject(id: string, reason: string, answered: { by: string }): Promise<InboxRequest>;
  /** The open ones first, then each new one, none twice. The loop ends when `signal` aborts or the manager closes. */
  watch(options?: {
    signal?: AbortSignal | undefined;
    taskId?: string | undefined;
    sessionId?: string | undefined;
  }): AsyncIterable<InboxRequest>;
}

/** Whose loop is told of a request once (W4): a task, a manager, a session by its id. */
export type Owner = object | string;

/** One that waits for an answer: it gets the checked value, or the request as it was closed. */
interface Asker {
  answered(value: unknown): void;
  closed(request: InboxRequest): void;
}

interface Asked {
  readonly task: Task;
  readonly schema: StandardSchemaV1 | undefined;
  readonly askers: Set<Asker>;
  readonly seenBy: Set<Owner>;
  /** Of opening, in this inbox. */
  readonly order: number;
  request: InboxRequest;
  /** What the schema made of the answer. */
  value: unknown;
  expiry: Alarm | undefined;
}

export class Requests implements Inbox {
  readonly #loop: Loop;
  readonly #waits: Waits;
  readonly #ids: Ids;
  readonly #asked = new Map<string, Asked>();
  readonly #open = new Set<Asked>();
  #opened = 0;
  /** Told of each request that opens, and of the closing of the inbox. */
  readonly #watching = new Set<(asked: Asked | undefined) => void>();
  readonly #isClosed: () => boolean;

  constructor(loop: Loop, waits: Waits, ids: Ids, isClosed: () => boolean) {
    this.#isClosed = isClosed;
    this.#loop = loop;
    this.#waits = waits;
    this.#ids = ids;
  }

  // ── asking ───────────────────────────────────────────────────────────────

  /** Opens the question of `attempt`, or finds it by its key, and waits for the answer; for an approval, for a yes. */
  ask<T>(attempt: Attempt, input: AskInput<T>, isApproval: boolean): Promise<T> {
    const waiter = waiterOf(attempt);
    let asked: Asked;
    let isNew = false;
    try {
      const question = takeQuestion(input, isApproval);
      const refused = this.#waits.refusalThrough(attempt, waiter, input.signal);
      if (refused !== undefined) return refused;
      const known = this.#findKeyed(attempt.task, question);
      isNew = known === undefined;
      asked = known ?? this.#openNew(attempt, question, input);
    } catch (error) {
      return Promise.reject(error);
    }
    const { request } = asked;
    const onTimeout = input.onTimeout ?? "fail";
    if (request.status === "answered") return Promise.resolve(this.#valueFor<T>(asked));
    if (request.status !== "open") return this.#resultOf(request, onTimeout);
    const answer = keeperOf(waiter, this.#waits).open<T>(
      waiter,
      () => ({ on: "input", requestId: request.id }),
      input.signal,
      (wait) => {
        const asker: Asker = {
          answered: () => wait.resolve(this.#valueFor<T>(asked)),
          closed: (closed) => this.#settle(wait, closed, onTimeout),
        };
        asked.askers.add(asker);
        return () => {
          asked.askers.delete(asker);
          const isUnwanted = asked.askers.size === 0 && request.key === undefined;
          if (isUnwanted && asked.request.status === "open") this.#close(asked, { status: "withdrawn" });
        };
      },
    );
    // Told of once the asker is blocked: who is told sees it so.
    if (isNew) this.#tell(asked);
    return answer;
  }

  #findKeyed(task: Task, question: Question): Asked | undefined {
    if (question.key === undefined) return undefined;
    for (const id of task.desk?.requestIds ?? []) {
      const asked = this.#asked.get(id);
      if (asked?.request.key !== question.key) continue;
      if (isSameQuestion(asked.request, question)) return asked;
      throw new IdConflictError(
        question.key,
        `Task ${task.id} asked another question with the key ${show(question.key)}: use a key for each question`,
      );
    }
    return undefined;
  }

  #openNew<T>(attempt: Attempt, question: Question, input: AskInput<T>): Asked {
    const { task } = attempt;
    const { sessionId } = task;
    const now = this.#loop.clock.now();
    const request: InboxRequest = Object.freeze({
      id: this.#ids.next("request"),
      taskId: task.id,
      ...(sessionId === undefined ? {} : { sessionId }),
      ...question,
      status: "open",
      createdAt: now,
      ...(input.timeoutMs === undefined || input.timeoutMs === Infinity ? {} : { expiresAt: now + input.timeoutMs }),
    });
    const asked: Asked = {
      task,
      request,
      schema: input.schema,
      askers: new Set(),
      seenBy: new Set(),
      order: ++this.#opened,
      value: undefined,
      expiry: undefined,
    };
    this.#loop.apply(task, { type: "openRequest", attempt: attempt.number, request });
    this.#asked.set(request.id, asked);
    this.#open.add(asked);
    const desk = deskOf(task);
    desk.requestIds ??= new Set();
    desk.requestIds.add(request.id);
    if (input.timeoutMs !== undefined) {
      asked.expiry = new Alarm(this.#loop.clock, input.timeoutMs, () => this.#close(asked, { status: "expired" }));
    }
    return asked;
  }

  #tell(asked: Asked | undefined): void {
    for (const tell of [...this.#watching]) tell(asked);
  }

  /** The asker's `T` is what its schema, its choices or its text gave: the answer was checked against them. */
  #valueFor<T>(asked: Asked): T {
    return asked.value as T;
  }

  #settle<T>(wait: OpenWait<T>, request: InboxRequest, onTimeout: "fail" | { default: T }): void {
    if (request.status === "expired" && onTimeout !== "fail") wait.resolve(onTimeout.default);
    else wait.reject(closedBy(request));
  }

  async #resultOf<T>(request: InboxRequest, onTimeout: "fail" | { default: T }): Promise<T> {
    if (request.status === "expired" && onTimeout !== "fail") return onTimeout.default;
    throw closedBy(request);
  }

  // ── answering ────────────────────────────────────────────────────────────

  list(filter: RequestFilter = {}): readonly InboxRequest[] {
    const { status = "open", ...who } = filter;
    const among = status === "open" ? this.#open : this.#asked.values();
    return Array.from(among, (asked) => asked.request).filter((request) => fits(request, { status, ...who }));
  }

  get(id: string): InboxRequest | undefined {
    return this.#asked.get(id)?.request;
  }

  /** Decided inside the call, unless a schema takes its time. */
  async answer(id: string, value: unknown, answered: { by: string }): Promise<InboxRequest> {
    const asked = this.#find(id, answered);
    const answer = checkAnswer(asked.request, value);
    let given: unknown = asked.request.kind === "approval" ? undefined : value;
    if (asked.schema !== undefined) {
      const parsed = validate(asked.request, asked.schema, value);
      given = valueOf(asked.request, "then" in parsed ? await this.#unlessClosed(asked.request, parsed) : parsed);
      this.#refuseClosed(asked);
    }
    asked.value = given;
    return this.#close(asked, { status: "answered", answer, by: answered.by });
  }

  async reject(id: string, reason: string, answered: { by: string }): Promise<InboxRequest> {
    checkType("reason", reason, "string");
    const asked = this.#find(id, answered);
    return this.#close(asked, { status: "rejected", reason, by: answered.by });
  }

  #find(id: string, answered: { by: string }): Asked {
    checkType("answered", answered, "object");
    checkType("answered.by", answered.by, "string");
    checkText("answered.by", answered.by);
    if (this.#isClosed()) throw new ManagerClosedError("it takes no answers any more");
    const asked = this.#asked.get(id);
    if (asked === undefined) throw new RequestNotFoundError(id);
    this.#refuseClosed(asked);
    return asked;
  }

  /** A schema may take for ever; the manager does not (D8). */
  #unlessClosed<P>(request: InboxRequest, parsed: Promise<P>): Promise<P> {
    const describe = () => ({ on: "input" as const, requestId: request.id });
    return this.#waits.open<P>(undefined, describe, undefined, (wait) => {
      parsed.then(
        (given) => wait.resolve(given),
        (error: unknown) => wait.reject(error),
      );
      return () => {};
    });
  }

  #refuseClosed(asked: Asked): void {
    if (this.#isClosed()) throw new ManagerClosedError("it takes no answers any more");
    if (asked.request.status !== "open") throw new AlreadyAnsweredError(asked.request);
  }

  /** A1: the first closing wins; who waits for the answer gets it. */
  #close(asked: Asked, closing: Closing): InboxRequest {
    const request = closeRequest(asked.request, closing, this.#loop.clock.now());
    if (request === undefined) return asked.request;
    asked.request = request;
    this.#loop.apply(asked.task, { type: "closeRequest", request });
    asked.expiry?.cancel();
    this.#open.delete(asked);
    for (const asker of [...asked.askers]) {
      if (closing.status === "answered") asker.answered(asked.value);
      else asker.closed(asked.request);
    }
    return asked.request;
  }

  watch(options: Parameters<Inbox["watch"]>[0] = {}): Stream<InboxRequest> {
    const { signal, ...who } = options;
    checkSignal("signal", signal);
    let open = this.#open.values();
    let lastOrder = 0;
    const next = () => {
      for (let step = open.next(); !step.done; step = open.next()) {
        const { request, order } = step.value;
        if (order <= lastOrder) continue;
        lastOrder = order;
        if (fits(request, who)) return { value: request };
      }
      // An iterator that has come to the end stays there.
      open = this.#open.values();
      return undefined;
    };
    const isOver = () => this.#isClosed();
    return new Stream({ next, isOver, listen: (wake) => this.#onTold(() => this.#loop.call(wake)) }, signal);
  }

  // ── for the other rooms ──────────────────────────────────────────────────

  /** Tells of each question that opens, until the returned off is called. */
  onOpened(tell: (task: Task, seenBy: Set<Owner>) => void): () => void {
    return this.#onTold((asked) => {
      if (asked !== undefined) tell(asked.task, asked.seenBy);
    });
  }

  #onTold(watcher: (asked: Asked | undefined) => void): () => void {
    this.#watching.add(watcher);
    return () => this.#watching.delete(watcher);
  }

  *opened(): Generator<{ readonly task: Task; readonly seenBy: Set<Owner> }> {
    yield* this.#open;
  }

  /** The attempt of `task` is over: nobody is there any more to hear an answer (A3, S4). */
  withdraw(task: Task): void {
    for (const id of task.desk?.requestIds ?? []) {
      const asked = this.#asked.get(id);
      if (asked?.request.status === "open") this.#close(asked, { status: "withdrawn" });
    }
  }

  /** The record of `task` is not kept any more. */
  forget(task: Task): void {
    for (const id of task.desk?.requestIds ?? []) this.#asked.delete(id);
  }

  /** The manager is closed: who watches stops. */
  close(): void {
    this.#tell(undefined);
  }
}

function closedBy(request: InboxRequest): Error {
  const { id, status, reason = "", by = "" } = request;
  if (status === "rejected") return new RequestRejectedError(id, reason, by);
  if (status === "expired") return new RequestExpiredError(id);
  return new ScopeCancelledError(request.taskId, `its request ${id} was withdrawn`);
}
