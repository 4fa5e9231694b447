// Inbox: the questions tasks ask and the answers people give (§7).
//
// Owns every request and who waits for its answer. A request is stored before anyone sees it (A1); an answer is checked before its
// command (A2) and the first one wins; a request is withdrawn with its attempt, unless it has a key (A3). A pending question holds
// no slot: waiting for it is a wait like any other (A5).

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { Stream } from "../events/stream.js";
import { deskOf } from "../live/extras.js";
import { checkRequestFilter } from "../live/filter.js";
import type { Attempt, OpenWait, Task } from "../live/task.js";
import { TaskRequests } from "../live/task-requests.js";
import type { Loop } from "../loop.js";
import { judge, valueOf } from "../schema/schema.js";
import {
  AlreadyAnsweredError,
  IdConflictError,
  ManagerClosedError,
  RequestExpiredError,
  RequestNotFoundError,
  RequestRejectedError,
  ScopeCancelledError,
  UnknownKindError,
} from "../task/errors.js";
import {
  type Closing,
  closeRequest,
  fits,
  type InboxRequest,
  isSameQuestion,
  type Question,
  type RequestFilter,
} from "../task/request.js";
import { Alarm } from "../time/clock.js";
import { checkFields, checkSignal, checkText, checkType, show } from "../values/checks.js";
import { handled } from "../values/handled.js";
import type { Ids } from "../values/ids.js";
import { freezeJson } from "../values/json.js";
import { idInWords } from "../values/safe-read.js";
import { waiterOf } from "../waits/ambient.js";
import { keeperOf, type Waits } from "../waits/waits.js";
import { type AskInput, answerTo, checkAnswer, takeQuestion } from "./question.js";

/** Where people answer. A pending question holds no slot; a model never answers an approval. */
export interface Inbox {
  /** The open ones, oldest first, unless `status` asks for others. */
  list(filter?: RequestFilter): readonly InboxRequest[];
  get(id: string): InboxRequest | undefined;
  /**
   * The first answer wins; resolves when it is stored. An approval takes `true` alone: "no" is `reject`.
   * `InvalidInputError`: it does not fit, its schema threw, or its schema did not check it within 10 s; the request stays open. `AlreadyAnsweredError`: it is not open any more. `RequestNotFoundError`.
   * A question with a schema from before a restart is checked when its task asks it again; `UnknownKindError`: this manager has not registered
   * the kind of that task, so it cannot check the answer.
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

/** A place among all requests, in order of opening. */
interface Opened {
  next: Asked | undefined;
}

interface Asked extends Opened {
  readonly task: Task;
  schema: StandardSchemaV1 | undefined;
  readonly askers: Set<Asker>;
  readonly seenBy: Set<Owner>;
  request: InboxRequest;
  /** What the schema made of the answer. */
  value: unknown;
  expiry: Alarm | undefined;
  /** `seq` of the fact that opened it. */
  readonly openedSeq: number;
  /** From before a restart, and not asked again yet: its schema is not known. Who answers it waits for that. */
  unasked: Set<() => void> | undefined;
}

interface RequestRooms {
  readonly loop: Loop;
  readonly waits: Waits;
  readonly ids: Ids;
  readonly isClosed: () => boolean;
  /** The kind of the task is not known here: its function asks nothing in this process. */
  readonly isKindMissing: (task: Task) => boolean;
  /** The task with this id, while its record is kept. */
  readonly taskOf: (id: string) => Task | undefined;
}

export class Requests implements Inbox {
  readonly #loop: Loop;
  readonly #waits: Waits;
  readonly #ids: Ids;
  readonly #asked = new Map<string, Asked>();
  readonly #open = new Set<Asked>();
  /** The request that was opened last: a watcher follows from there. */
  #newest: Opened = { next: undefined };
  /** Told of each request that opens, and of the closing of the inbox. */
  readonly #watching = new Set<(asked: Asked | undefined) => void>();
  readonly #isClosed: () => boolean;
  readonly #isKindMissing: (task: Task) => boolean;
  readonly #taskOf: (id: string) => Task | undefined;

  constructor({ loop, waits, ids, isClosed, isKindMissing, taskOf }: RequestRooms) {
    this.#isClosed = isClosed;
    this.#isKindMissing = isKindMissing;
    this.#taskOf = taskOf;
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
    if (request.status === "answered") return this.#answerAgain<T>(waiter, asked, input);
    if (request.status !== "open") return this.#resultOf(waiter, request, onTimeout, input.signal);
    askedAgain(asked, input.schema);
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

  /** It was answered before. After a restart its schema makes the value once more of the answer that was kept. */
  async #answerAgain<T>(waiter: Attempt | undefined, asked: Asked, { schema, signal }: AskInput<T>): Promise<T> {
    const { request, unasked } = asked;
    if (unasked !== undefined) {
      const answer = request.kind === "approval" ? undefined : request.answer;
      const given = schema === undefined ? undefined : await judge(schema, structuredClone(answer), this.#loop.clock);
      asked.value = given === undefined ? answer : valueOf(given, answerTo(request));
      askedAgain(asked, schema);
    }
    return this.#waits.answer<T>(waiter, () => this.#valueFor<T>(asked), { needs: this.#loop.seq, signal });
  }

  #findKeyed(task: Task, question: Question): Asked | undefined {
    if (question.key === undefined) return undefined;
    const asked = this.#asked.get(task.desk?.requests?.ofKey(question.key) ?? "");
    if (asked === undefined || isSameQuestion(asked.request, question)) return asked;
    throw new IdConflictError(
      question.key,
      `Task ${idInWords(task.id)} asked another question with the key ${show(question.key)}: use a key for each question`,
    );
  }

  #openNew<T>(attempt: Attempt, question: Question, input: AskInput<T>): Asked {
    const { task } = attempt;
    const { sessionId } = task;
    const now = this.#loop.clock.now();
    const request: InboxRequest = Object.freeze({
      id: this.#ids.next("request"),
      taskId: task.id,
      ...(sessionId === undefined ? {} : { sessionId }),
      ...(task.parent === undefined ? {} : { path: pathTo(task) }),
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
      value: undefined,
      expiry: undefined,
      openedSeq: this.#loop.nextSeq,
      unasked: undefined,
      next: undefined,
    };
    this.#loop.apply(task, { type: "openRequest", attempt: attempt.number, request });
    this.#open.add(asked);
    this.#keep(asked);
    if (request.expiresAt !== undefined) this.#expireAt(asked, request.expiresAt);
    return asked;
  }

  /** A request that is new here. */
  #keep(asked: Asked): void {
    const { request, task } = asked;
    this.#asked.set(request.id, asked);
    this.#newest.next = asked;
    this.#newest = asked;
    requestsOf(task).put(request);
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

  #resultOf<T>(
    waiter: Attempt | undefined,
    request: InboxRequest,
    onTimeout: "fail" | { default: T },
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const read = (): T => {
      if (request.status === "expired" && onTimeout !== "fail") return onTimeout.default;
      throw closedBy(request);
    };
    return this.#waits.answer(waiter, read, { needs: this.#loop.seq, signal });
  }

  // ── answering ────────────────────────────────────────────────────────────

  list(filter: RequestFilter = {}): readonly InboxRequest[] {
    checkRequestFilter("filter", filter, "status");
    const { status = "open", ...who } = filter;
    const among = this.#among(status === "open", who.taskId);
    return Array.from(among, (asked) => asked.request).filter((request) => fits(request, { status, ...who }));
  }

  /** The requests of one task are found without a walk over all others. */
  #among(isOpen: boolean, taskId: string | undefined): Iterable<Asked> {
    if (taskId === undefined) return isOpen ? this.#open : this.#asked.values();
    const requests = this.#taskOf(taskId)?.desk?.requests;
    return this.#withIds(isOpen ? requests?.open : requests?.all);
  }

  #withIds(ids: Iterable<string> = []): readonly Asked[] {
    return Array.from(ids, (id) => this.#asked.get(id)).filter((asked) => asked !== undefined);
  }

  get(id: string): InboxRequest | undefined {
    return this.#asked.get(id)?.request;
  }

  /** Decided inside the call, unless a schema takes its time. */
  answer(id: string, value: unknown, answered: { by: string }): Promise<InboxRequest> {
    return this.#told(this.#answer(id, value, answered, () => {}));
  }

  /** `onTaken` is called in the call in which the answer is decided: what it decides is stored with it. */
  answerBy(id: string, value: unknown, by: string, onTaken: () => void): Promise<InboxRequest> {
    return this.#told(this.#answer(id, value, { by }, onTaken));
  }

  async #answer(id: string, value: unknown, answered: { by: string }, onTaken: () => void): Promise<InboxRequest> {
    const asked = this.#find(id, answered);
    const answer = checkAnswer(asked.request, value);
    if (asked.unasked !== undefined && asked.request.kind === "json") {
      // A2: the schema that checks it comes with the function, which no one here can start.
      const { kind } = asked.task.traits;
      if (kind !== undefined && this.#isKindMissing(asked.task)) throw new UnknownKindError(kind, []);
      await this.#unlessClosed(asked.request, untilAsked(asked.unasked));
      this.#refuseClosed(asked);
    }
    let given: unknown = asked.request.kind === "approval" ? undefined : value;
    if (asked.schema !== undefined) {
      const verdict = judge(asked.schema, value, this.#loop.clock);
      given = valueOf(
        "then" in verdict ? await this.#unlessClosed(asked.request, verdict) : verdict,
        answerTo(asked.request),
      );
      this.#refuseClosed(asked);
    }
    asked.value = given;
    const closed = this.#close(asked, { status: "answered", answer, by: answered.by });
    onTaken();
    return closed;
  }

  reject(id: string, reason: string, answered: { by: string }): Promise<InboxRequest> {
    return this.#told(this.#reject(id, reason, answered));
  }

  async #reject(id: string, reason: string, answered: { by: string }): Promise<InboxRequest> {
    checkType("reason", reason, "string");
    const asked = this.#find(id, answered);
    return this.#close(asked, { status: "rejected", reason, by: answered.by });
  }

  /** D1: a reply waits until what it tells of is stored, and so does a refusal. */
  async #told<T>(reply: Promise<T>): Promise<T> {
    try {
      return await reply;
    } finally {
      await this.#loop.tell(undefined);
    }
  }

  #find(id: string, answered: { by: string }): Asked {
    if (typeof answered !== "object" || answered === null)
      throw new TypeError(`answered must be { by }: who answers, got ${show(answered)}`);
    checkFields("answered", answered, ["by"]);
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
    // A closed manager refuses the wait: the rejection of the schema is then handled here (C5).
    void handled(parsed);
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
    requestsOf(asked.task).put(request);
    asked.expiry?.cancel();
    this.#open.delete(asked);
    if (closing.status !== "answered") tellAsked(asked);
    for (const asker of [...asked.askers]) {
      if (closing.status === "answered") asker.answered(asked.value);
      else asker.closed(asked.request);
    }
    return asked.request;
  }

  watch(options: Parameters<Inbox["watch"]>[0] = {}): Stream<InboxRequest> {
    checkRequestFilter("watch", options, "signal");
    const { signal, ...who } = options;
    checkSignal("signal", signal);
    // First the requests that are open now, then each that is opened after them: no request is read twice.
    const open = [...this.#open].reverse();
    let last = this.#newest;
    const following = (): Asked | undefined => {
      const early = open.pop();
      if (early !== undefined) return early;
      const { next: later } = last;
      if (later !== undefined) last = later;
      return later;
    };
    let asked: Asked | undefined;
    const next = () => {
      for (asked ??= following(); asked !== undefined; asked = following()) {
        // A1: not before it is stored. It is told of then.
        if (asked.openedSeq > this.#loop.storedSeq) return undefined;
        const { request } = asked;
        if (request.status !== "open" || !fits(request, who)) continue;
        asked = undefined;
        return { value: request };
      }
      return undefined;
    };
    const isOver = () => this.#isClosed();
    const listen = (wake: () => void) => {
      if (this.#loop.seq > this.#loop.storedSeq) this.#loop.call(wake);
      return this.#onTold(() => this.#loop.call(wake));
    };
    return new Stream({ next, isOver, listen }, signal);
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

  /** The requests that are open at the call: each may be closed meanwhile. */
  #openOf(task: Task): readonly Asked[] {
    return this.#withIds(task.desk?.requests?.open);
  }

  /** The attempt of `task` is over: nobody is there any more to hear an answer (A3, S4). */
  withdraw(task: Task): void {
    for (const asked of this.#openOf(task)) this.#close(asked, { status: "withdrawn" });
  }

  /** The attempt of `task` is over, and another follows: what has a key stays open for it (A3). */
  handOver(task: Task): void {
    for (const asked of this.#openOf(task))
      if (asked.request.key === undefined) this.#close(asked, { status: "withdrawn" });
  }

  // ── of a remote ──────────────────────────────────────────────────────────

  /** The request of `task` that has this key, unless it was withdrawn. */
  keyed(task: Task, key: string): InboxRequest | undefined {
    return this.#asked.get(task.desk?.requests?.ofKey(key) ?? "")?.request;
  }

  /** Withdraws what a remote asks no more: the request with the key `was`, and each that was left by an earlier process; not the one with `key`. */
  withdrawOthers(task: Task, key: string | undefined, was: string | undefined): void {
    for (const asked of this.#openOf(task)) {
      if (asked.request.key === undefined || asked.request.key === key) continue;
      if (asked.request.key === was || asked.askers.size === 0) this.#close(asked, { status: "withdrawn" });
    }
  }

  // ── after a restart ──────────────────────────────────────────────────────

  get all(): readonly InboxRequest[] {
    return Array.from(this.#asked.values(), (asked) => asked.request);
  }

  /** As it was, or as it became, in an earlier process. */
  restore(task: Task, request: InboxRequest): void {
    freezeJson(request);
    const known = this.#asked.get(request.id);
    const asked: Asked = known ?? {
      task,
      request,
      schema: undefined,
      askers: new Set(),
      seenBy: new Set(),
      value: undefined,
      expiry: undefined,
      openedSeq: 0,
      unasked: new Set(),
      next: undefined,
    };
    asked.request = request;
    if (request.status === "open") this.#open.add(asked);
    else this.#open.delete(asked);
    if (known === undefined) this.#keep(asked);
    else requestsOf(task).put(request);
  }

  /** `task` goes on: what its next attempt may ask again stays open, until it expires (A3). */
  goOn(task: Task): void {
    this.handOver(task);
    this.wait(task);
  }

  /** `task` is parked: what it asked stays open, until it expires. */
  wait(task: Task): void {
    for (const asked of this.#openOf(task)) {
      const { expiresAt } = asked.request;
      if (expiresAt !== undefined) this.#expireAt(asked, expiresAt);
    }
  }

  #expireAt(asked: Asked, expiresAt: number): void {
    const { clock } = this.#loop;
    const close = () => this.#close(asked, { status: "expired" });
    const left = expiresAt - clock.now();
    asked.expiry?.cancel();
    // After a restart: the time ran out while no process was there. Otherwise at most the whole time remains (C7).
    if (left < 0) close();
    else asked.expiry = Alarm.within(clock, Math.min(left, expiresAt - asked.request.createdAt), expiresAt, close);
  }

  /** `task` is left for the next process, and so is when its questions expire. */
  park(task: Task): void {
    for (const asked of this.#openOf(task)) asked.expiry?.cancel();
  }

  /** The record of `task` is not kept any more. */
  forget(task: Task): void {
    for (const id of task.desk?.requests?.all ?? []) this.#asked.delete(id);
  }

  /** The manager is closed: who watches stops. */
  close(): void {
    this.#tell(undefined);
  }
}

/** Its function asks it: the schema is known, and answers that waited for it are checked. */
function askedAgain(asked: Asked, schema: StandardSchemaV1 | undefined): void {
  if (asked.unasked === undefined) return;
  asked.schema = schema;
  tellAsked(asked);
}

function requestsOf(task: Task): TaskRequests {
  const desk = deskOf(task);
  desk.requests ??= new TaskRequests();
  return desk.requests;
}

function tellAsked(asked: Asked): void {
  const { unasked } = asked;
  asked.unasked = undefined;
  for (const tell of unasked ?? []) tell();
}

function untilAsked(unasked: Set<() => void>): Promise<void> {
  return new Promise((resolve) => unasked.add(resolve));
}

function pathTo(asker: Task): readonly string[] {
  const path: string[] = [];
  for (let task: Task | undefined = asker; task !== undefined; task = task.parent) path.push(task.id);
  return Object.freeze(path.reverse());
}

function closedBy(request: InboxRequest): Error {
  const { id, status, reason = "", by = "" } = request;
  if (status === "rejected") return new RequestRejectedError(id, reason, by);
  if (status === "expired") return new RequestExpiredError(id);
  return new ScopeCancelledError(request.taskId, `its request ${idInWords(id)} was withdrawn`);
}
