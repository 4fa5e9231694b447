// Requests: every question that a task has asked, from its opening to its closing (A1, A3).
//
// Owns the requests and who waits for each. A request is stored before it is announced; the first closing wins; a request is
// withdrawn with its attempt, unless it has a key. Called by asking and answering, by the runner when an attempt is over, and by
// the replay; calls the loop.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { extrasOf } from "../live/extras.js";
import { checkRequestFilter } from "../live/filter.js";
import type { Attempt, Task } from "../live/task.js";
import { TaskRequests } from "../live/task-requests.js";
import type { Loop } from "../loop.js";
import { type Closing, closeRequest, fits, type InboxRequest, type RequestFilter } from "../task/request.js";
import { Alarm } from "../time/clock.js";
import { freezeJson } from "../values/json.js";

/** Whose loop is told of a request once (W4): a task, a manager, a session by its id. */
export type Owner = object | string;

/** One that waits for an answer: it gets the checked value, or the request as it was closed. */
export interface Asker {
  answered(value: unknown): void;
  closed(request: InboxRequest): void;
}

/** A place among all requests, in order of opening. */
export interface Opened {
  next: Asked | undefined;
}

export interface Asked extends Opened {
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

interface RequestDeps {
  readonly loop: Loop;
  /** The task with this id, while its record is kept. */
  readonly taskOf: (id: string) => Task | undefined;
}

export class Requests {
  readonly #loop: Loop;
  readonly #taskOf: (id: string) => Task | undefined;
  readonly #asked = new Map<string, Asked>();
  readonly #open = new Set<Asked>();
  /** The request that was opened last: a watcher follows from there. */
  #newest: Opened = { next: undefined };
  /** Called with each request that opens, and with `undefined` when the manager closes. */
  readonly #watchers = new Set<(asked: Asked | undefined) => void>();

  constructor({ loop, taskOf }: RequestDeps) {
    this.#loop = loop;
    this.#taskOf = taskOf;
  }

  /** A request that is new here. */
  #keep(asked: Asked): void {
    const { request, task } = asked;
    this.#asked.set(request.id, asked);
    this.#newest.next = asked;
    this.#newest = asked;
    requestsOf(task).put(request);
  }

  /** Announces a request that was opened. Its asker is blocked by then, so every watcher sees it so. */
  announce(asked: Asked): void {
    for (const watcher of [...this.#watchers]) watcher(asked);
  }

  // ── reading ──────────────────────────────────────────────────────────────

  list(filter: RequestFilter = {}): readonly InboxRequest[] {
    checkRequestFilter("filter", filter, "status");
    const { status = "open", ...who } = filter;
    const among = this.#among(status === "open", who.taskId);
    return Array.from(among, (asked) => asked.request).filter((request) => fits(request, { status, ...who }));
  }

  /** The requests of one task are found without a walk over all others. */
  #among(isOpen: boolean, taskId: string | undefined): Iterable<Asked> {
    if (taskId === undefined) return isOpen ? this.#open : this.#asked.values();
    const requests = this.#taskOf(taskId)?.extras?.requests;
    return this.#withIds(isOpen ? requests?.open : requests?.all);
  }

  #withIds(ids: Iterable<string> = []): readonly Asked[] {
    return Array.from(ids, (id) => this.#asked.get(id)).filter((asked) => asked !== undefined);
  }

  get(id: string): InboxRequest | undefined {
    return this.#asked.get(id)?.request;
  }

  find(id: string): Asked | undefined {
    return this.#asked.get(id);
  }

  ofKey(task: Task, key: string): Asked | undefined {
    return this.#asked.get(task.extras?.requests?.ofKey(key) ?? "");
  }

  // ── opening and closing ──────────────────────────────────────────────────

  /** Opens `request` for the attempt. */
  open(attempt: Attempt, request: InboxRequest, schema: StandardSchemaV1 | undefined): Asked {
    const asked = newAsked(attempt.task, request, schema, this.#loop.nextSeq);
    this.#loop.apply(attempt.task, { type: "openRequest", attempt: attempt.number, request });
    this.#open.add(asked);
    this.#keep(asked);
    if (request.expiresAt !== undefined) this.#expireAt(asked, request.expiresAt);
    return asked;
  }

  /** A1: the first closing wins; who waits for the answer gets it. */
  close(asked: Asked, closing: Closing): InboxRequest {
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

  // ── watching ─────────────────────────────────────────────────────────────

  /** Tells of each question that opens, until the returned off is called. */
  onOpened(tell: (task: Task, seenBy: Set<Owner>) => void): () => void {
    return this.watch((asked) => {
      if (asked !== undefined) tell(asked.task, asked.seenBy);
    });
  }

  watch(watcher: (asked: Asked | undefined) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** The open requests, oldest first. */
  opened(): Iterable<Asked> {
    return this.#open;
  }

  /** A place behind every request that has been opened: the next one is linked to it. */
  get newest(): Opened {
    return this.#newest;
  }

  /** The requests that are open at the call: each may be closed meanwhile. */
  #openOf(task: Task): readonly Asked[] {
    return this.#withIds(task.extras?.requests?.open);
  }

  /** The attempt of `task` is over: nobody is there any more to hear an answer (A3, S4). */
  withdraw(task: Task): void {
    for (const asked of this.#openOf(task)) this.close(asked, { status: "withdrawn" });
  }

  /** The attempt of `task` is over, and another follows: what has a key stays open for it (A3). */
  handOver(task: Task): void {
    for (const asked of this.#openOf(task))
      if (asked.request.key === undefined) this.close(asked, { status: "withdrawn" });
  }

  // ── of a remote ──────────────────────────────────────────────────────────

  /** The request of `task` that has this key, unless it was withdrawn. */
  keyed(task: Task, key: string): InboxRequest | undefined {
    return this.ofKey(task, key)?.request;
  }

  /** Withdraws what a remote asks no more: the request with the key `was`, and each that was left by an earlier process; not the one with `key`. */
  withdrawOthers(task: Task, key: string | undefined, was: string | undefined): void {
    for (const asked of this.#openOf(task)) {
      if (asked.request.key === undefined || asked.request.key === key) continue;
      if (asked.request.key === was || asked.askers.size === 0) this.close(asked, { status: "withdrawn" });
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
    const asked = known ?? { ...newAsked(task, request, undefined, 0), unasked: new Set() };
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
    const close = () => this.close(asked, { status: "expired" });
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
    for (const id of task.extras?.requests?.all ?? []) this.#asked.delete(id);
  }

  /** The manager is closed: every watcher stops. */
  closeAll(): void {
    for (const watcher of [...this.#watchers]) watcher(undefined);
  }
}

function newAsked(task: Task, request: InboxRequest, schema: StandardSchemaV1 | undefined, openedSeq: number): Asked {
  return {
    task,
    request,
    schema,
    askers: new Set(),
    seenBy: new Set(),
    value: undefined,
    expiry: undefined,
    openedSeq,
    unasked: undefined,
    next: undefined,
  };
}

/** The function asks the question again: its schema is known, and answers that waited for it are checked. */
export function askedAgain(asked: Asked, schema: StandardSchemaV1 | undefined): void {
  if (asked.unasked === undefined) return;
  asked.schema = schema;
  tellAsked(asked);
}

function requestsOf(task: Task): TaskRequests {
  const extras = extrasOf(task);
  extras.requests ??= new TaskRequests();
  return extras.requests;
}

function tellAsked(asked: Asked): void {
  const { unasked } = asked;
  asked.unasked = undefined;
  for (const tell of unasked ?? []) tell();
}
