// Requests: every question that a task has asked, from its opening to its closing (A1, A3).
//
// Owns the requests and the callers that wait for each. A request is stored before it is announced; the first closing
// wins; a request is withdrawn with its attempt, unless it has a key. Called by asking and answering, by the runner
// when an attempt is over, and by the replay. Calls the loop.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { extrasOf } from "../live/extras.js";
import { checkRequestFilter } from "../live/filter.js";
import type { Attempt, Task } from "../live/task.js";
import { TaskRequests } from "../live/task-requests.js";
import type { Loop } from "../loop.js";
import { type Closing, closeRequest, fits, type InboxRequest, type RequestFilter } from "../task/request.js";
import { Alarm } from "../time/clock.js";
import { freezeJson } from "../values/json.js";

/** The owner of a loop to which each request is reported once: a task, a manager, or a session by its id (W4). */
export type Owner = object | string;

/** A function that waits for an answer. */
export interface Asker {
  /** The request was answered; `value` is the checked answer. */
  answered(value: unknown): void;
  /** The request was closed without an answer. */
  closed(request: InboxRequest): void;
}

/** A position among all requests, in order of opening. */
export interface RequestLink {
  /** The request that was opened next. */
  next: RequestEntry | undefined;
}

/** A request with everything that this process knows about it. */
export interface RequestEntry extends RequestLink {
  /** The task that asked. */
  readonly task: Task;
  /** Checks an answer to a `json` request. */
  schema: StandardSchemaV1 | undefined;
  /** The calls that wait for the answer. */
  readonly askers: Set<Asker>;
  /** The owners to which `awaitTasks` has reported the request. */
  readonly seenBy: Set<Owner>;
  /** The newest state of the request. */
  request: InboxRequest;
  /** The value that the schema made of the answer. */
  value: unknown;
  /** Closes the request as expired. */
  expiry: Alarm | undefined;
  /** `seq` of the fact that opened the request. */
  readonly openedSeq: number;
  /**
   * Set while a request from before a restart has not been asked again, so its schema is not known: the answers that
   * wait for the schema.
   */
  awaitingSchema: Set<() => void> | undefined;
}

interface RequestDeps {
  readonly loop: Loop;
  /** The task with this id, while its record is kept. */
  readonly taskOf: (id: string) => Task | undefined;
}

/** All requests of one manager whose tasks' records are kept. */
export class Requests {
  readonly #loop: Loop;
  readonly #taskOf: (id: string) => Task | undefined;
  readonly #asked = new Map<string, RequestEntry>();
  readonly #open = new Set<RequestEntry>();
  /** The newest request: a watcher continues from there. */
  #newest: RequestLink = { next: undefined };
  /** Called with each request that opens, and with `undefined` when the manager closes. */
  readonly #watchers = new Set<(asked: RequestEntry | undefined) => void>();

  constructor({ loop, taskOf }: RequestDeps) {
    this.#loop = loop;
    this.#taskOf = taskOf;
  }

  /** Adds a request to the indexes. */
  #keep(asked: RequestEntry): void {
    const { request, task } = asked;
    this.#asked.set(request.id, asked);
    this.#newest.next = asked;
    this.#newest = asked;
    requestsOf(task).put(request);
  }

  /** Announces an opened request to all watchers. Its task is blocked by then, so every watcher sees it as blocked. */
  announce(asked: RequestEntry): void {
    for (const watcher of [...this.#watchers]) watcher(asked);
  }

  // ── reading ──────────────────────────────────────────────────────────────

  /** The requests that fit `filter`, in order of opening. Default: the open ones. */
  list(filter: RequestFilter = {}): readonly InboxRequest[] {
    checkRequestFilter("filter", filter, "status");
    const { status = "open", ...who } = filter;
    const among = this.#among(status === "open", who.taskId);
    return Array.from(among, (asked) => asked.request).filter((request) => fits(request, { status, ...who }));
  }

  /** The candidates for a filter. The requests of one task are found without a walk over all others. */
  #among(isOpen: boolean, taskId: string | undefined): Iterable<RequestEntry> {
    if (taskId === undefined) return isOpen ? this.#open : this.#asked.values();
    const requests = this.#taskOf(taskId)?.extras?.requests;
    return this.#withIds(isOpen ? requests?.open : requests?.all);
  }

  #withIds(ids: Iterable<string> = []): readonly RequestEntry[] {
    return Array.from(ids, (id) => this.#asked.get(id)).filter((asked) => asked !== undefined);
  }

  /** The newest state of the request `id`. */
  get(id: string): InboxRequest | undefined {
    return this.#asked.get(id)?.request;
  }

  /** The entry of the request `id`. */
  find(id: string): RequestEntry | undefined {
    return this.#asked.get(id);
  }

  /** The entry of the task's request with this key, unless that request was withdrawn. */
  ofKey(task: Task, key: string): RequestEntry | undefined {
    return this.#asked.get(task.extras?.requests?.ofKey(key) ?? "");
  }

  // ── opening and closing ──────────────────────────────────────────────────

  /** Opens `request` for the attempt. */
  open(attempt: Attempt, request: InboxRequest, schema: StandardSchemaV1 | undefined): RequestEntry {
    const asked = newEntry(attempt.task, request, schema, this.#loop.nextSeq);
    this.#loop.apply(attempt.task, { type: "openRequest", attempt: attempt.number, request });
    this.#open.add(asked);
    this.#keep(asked);
    if (request.expiresAt !== undefined) this.#expireAt(asked, request.expiresAt);
    return asked;
  }

  /**
   * Closes a request and resolves or rejects its askers. The first closing wins: a later one changes nothing and gets
   * the closed request (A1).
   */
  close(asked: RequestEntry, closing: Closing): InboxRequest {
    const request = closeRequest(asked.request, closing, this.#loop.clock.now());
    if (request === undefined) return asked.request;
    asked.request = request;
    this.#loop.apply(asked.task, { type: "closeRequest", request });
    requestsOf(asked.task).put(request);
    asked.expiry?.cancel();
    this.#open.delete(asked);
    if (closing.status !== "answered") resumeAnswers(asked);
    for (const asker of [...asked.askers]) {
      if (closing.status === "answered") asker.answered(asked.value);
      else asker.closed(asked.request);
    }
    return asked.request;
  }

  // ── watching ─────────────────────────────────────────────────────────────

  /** Calls `tell` for each question that opens, until the returned function is called. */
  onOpened(tell: (task: Task, seenBy: Set<Owner>) => void): () => void {
    return this.watch((asked) => {
      if (asked !== undefined) tell(asked.task, asked.seenBy);
    });
  }

  /**
   * Calls `watcher` with each request that opens, and with `undefined` at the close, until the returned function is
   * called.
   */
  watch(watcher: (asked: RequestEntry | undefined) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** The open requests, oldest first. */
  opened(): Iterable<RequestEntry> {
    return this.#open;
  }

  /** A position behind every opened request: the next request is linked to it. */
  get newest(): RequestLink {
    return this.#newest;
  }

  /** A copy of the task's open requests at the time of the call: closing one changes the set. */
  #openOf(task: Task): readonly RequestEntry[] {
    return this.#withIds(task.extras?.requests?.open);
  }

  /** The attempt of `task` is over, and no function waits for an answer: withdraws its open requests (A3, S4). */
  withdraw(task: Task): void {
    for (const asked of this.#openOf(task)) this.close(asked, { status: "withdrawn" });
  }

  /** The attempt of `task` is over and another follows: requests with a key stay open for the next attempt (A3). */
  handOver(task: Task): void {
    for (const asked of this.#openOf(task))
      if (asked.request.key === undefined) this.close(asked, { status: "withdrawn" });
  }

  // ── for remote kinds ──────────────────────────────────────────────────────

  /** The request of `task` that has this key, unless it was withdrawn. */
  keyed(task: Task, key: string): InboxRequest | undefined {
    return this.ofKey(task, key)?.request;
  }

  /**
   * Withdraws the requests that a remote no longer asks: the request with the key `was`, and each one that an earlier
   * process left. The request with the key `key` stays open.
   */
  withdrawOthers(task: Task, key: string | undefined, was: string | undefined): void {
    for (const asked of this.#openOf(task)) {
      if (asked.request.key === undefined || asked.request.key === key) continue;
      if (asked.request.key === was || asked.askers.size === 0) this.close(asked, { status: "withdrawn" });
    }
  }

  // ── after a restart ──────────────────────────────────────────────────────

  /** All requests, in order of opening, for a snapshot. */
  get all(): readonly InboxRequest[] {
    return Array.from(this.#asked.values(), (asked) => asked.request);
  }

  /** Restores a request of an earlier process, or a later state of it. */
  restore(task: Task, request: InboxRequest): void {
    freezeJson(request);
    const known = this.#asked.get(request.id);
    const asked = known ?? { ...newEntry(task, request, undefined, 0), awaitingSchema: new Set() };
    asked.request = request;
    if (request.status === "open") this.#open.add(asked);
    else this.#open.delete(asked);
    if (known === undefined) this.#keep(asked);
    else requestsOf(task).put(request);
  }

  /**
   * The task is resumed: requests with a key stay open, until they expire, because the next attempt may ask them again
   * (A3).
   */
  resumed(task: Task): void {
    this.handOver(task);
    this.parked(task);
  }

  /** The task is parked: its requests stay open until they expire. */
  parked(task: Task): void {
    for (const asked of this.#openOf(task)) {
      const { expiresAt } = asked.request;
      if (expiresAt !== undefined) this.#expireAt(asked, expiresAt);
    }
  }

  #expireAt(asked: RequestEntry, expiresAt: number): void {
    const { clock } = this.#loop;
    const close = () => this.close(asked, { status: "expired" });
    const left = expiresAt - clock.now();
    asked.expiry?.cancel();
    // The request may have expired while no process was running. Otherwise at most its whole time remains (C7).
    if (left < 0) close();
    else asked.expiry = Alarm.within(clock, Math.min(left, expiresAt - asked.request.createdAt), expiresAt, close);
  }

  /** The task is left for the next process, which also counts the expiry of its questions. */
  park(task: Task): void {
    for (const asked of this.#openOf(task)) asked.expiry?.cancel();
  }

  /** The record of `task` is evicted: removes its requests. */
  forget(task: Task): void {
    for (const id of task.extras?.requests?.all ?? []) this.#asked.delete(id);
  }

  /** The manager is closed: ends every watch. */
  closeAll(): void {
    for (const watcher of [...this.#watchers]) watcher(undefined);
  }
}

function newEntry(
  task: Task,
  request: InboxRequest,
  schema: StandardSchemaV1 | undefined,
  openedSeq: number,
): RequestEntry {
  return {
    task,
    request,
    schema,
    askers: new Set(),
    seenBy: new Set(),
    value: undefined,
    expiry: undefined,
    openedSeq,
    awaitingSchema: undefined,
    next: undefined,
  };
}

/** The function asks the question again, so its schema is known: answers that waited for the schema continue. */
export function supplySchema(asked: RequestEntry, schema: StandardSchemaV1 | undefined): void {
  if (asked.awaitingSchema === undefined) return;
  asked.schema = schema;
  resumeAnswers(asked);
}

function requestsOf(task: Task): TaskRequests {
  const extras = extrasOf(task);
  extras.requests ??= new TaskRequests();
  return extras.requests;
}

function resumeAnswers(asked: RequestEntry): void {
  const { awaitingSchema } = asked;
  asked.awaitingSchema = undefined;
  for (const tell of awaitingSchema ?? []) tell();
}
