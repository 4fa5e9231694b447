// Requests: every question that a task has asked, from its opening to its closing (A1, A3).
//
// Owns the requests and the callers that wait for each. A request is stored before it is delivered; the first closing
// wins; a request is withdrawn with its attempt, unless it has a key. Called by asking and answering, by the runner
// when an attempt is over, and by the consequences with each fact of a request. Calls the loop.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { extrasOf } from "../live/extras.js";
import { checkRequestFilter } from "../live/filter.js";
import type { Registry } from "../live/registry.js";
import type { Attempt, Task } from "../live/task.js";
import { TaskRequests } from "../live/task-requests.js";
import type { Loop } from "../loop.js";
import { ScopeCancelledError } from "../task/errors.js";
import { type Closing, closeRequest, fits, type InboxRequest, type RequestFilter } from "../task/request.js";
import { Alarm } from "../time/clock.js";
import { OpenRequests } from "./open-requests.js";

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
  seenBy: Set<Owner> | undefined;
  /** The newest state of the request. */
  request: InboxRequest;
  /** The value that the schema made of the answer. */
  value: unknown;
  /** Closes the request as expired. */
  expiry: Alarm | undefined;
  /** The number among all requests, in order of opening. */
  readonly order: number;
  /** `seq` of the fact that opened the request. */
  readonly openedSeq: number;
  /**
   * Set while a request from before a restart has not been asked again, so its schema is not known: the answers that
   * wait for the schema.
   */
  awaitingSchema: Set<() => void> | undefined;
}

/** All requests of one manager whose tasks' records are kept. */
export class Requests {
  readonly #loop: Loop;
  readonly #registry: Registry;
  readonly #entries = new Map<string, RequestEntry>();
  readonly #open = new OpenRequests<RequestEntry>((task) => this.#openOf(task));
  #opened = 0;
  /** The newest request: a watcher continues from there. */
  #newest: RequestLink = { next: undefined };
  /** Called with each request that opens, and with `undefined` when the manager closes. */
  readonly #watchers = new Set<(entry: RequestEntry | undefined) => void>();

  constructor(loop: Loop, registry: Registry) {
    this.#loop = loop;
    this.#registry = registry;
  }

  /** Adds a request to the indexes. */
  #keep(entry: RequestEntry): void {
    const { request, task } = entry;
    this.#entries.set(request.id, entry);
    this.#newest.next = entry;
    this.#newest = entry;
    requestsOf(task).put(request);
  }

  /** Announces an opened request to all watchers. Its task is blocked by then, so every watcher sees it as blocked. */
  announce(entry: RequestEntry): void {
    for (const watcher of [...this.#watchers]) watcher(entry);
    this.#open.announce(entry);
  }

  // ── reading ──────────────────────────────────────────────────────────────

  /** The requests that fit `filter`, in order of opening. Default: the open ones. */
  list(filter: RequestFilter = {}): readonly InboxRequest[] {
    checkRequestFilter("filter", filter, "status");
    const { status = "open", ...who } = filter;
    const among = this.#among(status === "open", who);
    return Array.from(among, (entry) => entry.request).filter((request) => fits(request, { status, ...who }));
  }

  /** Whether `id` is the id of a task: a caller may have mistaken it for that of a request. */
  isTask(id: string): boolean {
    return this.#registry.byId(id) !== undefined;
  }

  /** The candidates for a filter. The requests of one task or session are found without a walk over all others. */
  #among(isOpen: boolean, { taskId, sessionId }: RequestFilter): Iterable<RequestEntry> {
    if (taskId !== undefined) {
      const requests = this.#registry.byId(taskId)?.extras?.requests;
      return this.#withIds(isOpen ? requests?.open : requests?.all);
    }
    const tasks = sessionId === undefined ? undefined : this.#registry.ofSession(sessionId);
    if (isOpen) return tasks === undefined ? this.#open.all : this.#open.of(tasks);
    if (tasks === undefined) return this.#entries.values();
    const ofSession = [...tasks].flatMap(({ extras }) => this.#withIds(extras?.requests?.all));
    return ofSession.sort((a, b) => a.order - b.order);
  }

  #withIds(ids: Iterable<string> = []): readonly RequestEntry[] {
    return Array.from(ids).flatMap((id) => this.#entries.get(id) ?? []);
  }

  /** The newest state of the request `id`. */
  get(id: string): InboxRequest | undefined {
    return this.#entries.get(id)?.request;
  }

  /** The entry of the request `id`. */
  find(id: string): RequestEntry | undefined {
    return this.#entries.get(id);
  }

  /** The entry of the task's request with this key, unless that request was withdrawn. */
  ofKey(task: Task, key: string): RequestEntry | undefined {
    return this.#entries.get(task.extras?.requests?.ofKey(key) ?? "");
  }

  // ── opening and closing ──────────────────────────────────────────────────

  /** Follows a fact, live or replayed: keeps the newest state of a request. */
  follow(task: Task, request: InboxRequest, seq: number): void {
    const known = this.#entries.get(request.id);
    const entry = known ?? newEntry(task, request, seq, ++this.#opened);
    entry.request = request;
    if (request.status === "open") this.#open.add(entry);
    else this.#open.delete(entry);
    if (known === undefined) this.#keep(entry);
    else requestsOf(task).put(request);
  }

  /** Opens `request` for the attempt. */
  open(attempt: Attempt, request: InboxRequest, schema: StandardSchemaV1 | undefined): RequestEntry {
    this.#loop.apply(attempt.task, { type: "openRequest", attempt: attempt.number, request });
    const entry = this.#entries.get(request.id);
    // The attempt is over: the loop has refused the command.
    if (entry === undefined) throw new ScopeCancelledError(request.taskId, "nothing is asked through it any more");
    entry.schema = schema;
    if (request.expiresAt !== undefined) this.#expireAt(entry, request.expiresAt);
    return entry;
  }

  /**
   * Closes a request and resolves or rejects its askers. The first closing wins: a later one changes nothing and gets
   * the closed request (A1).
   */
  close(entry: RequestEntry, closing: Closing): InboxRequest {
    const request = closeRequest(entry.request, closing, this.#loop.clock.now());
    if (request === undefined) return entry.request;
    const refused = this.#loop.apply(entry.task, { type: "closeRequest", request });
    // The task has ended in another process, which left the request open.
    if (refused !== undefined) this.follow(entry.task, request, 0);
    entry.expiry?.cancel();
    // An answer that waits for the schema is refused now. No answer waits when the request was answered, because the
    // schema is known then.
    resumeAnswers(entry);
    for (const asker of [...entry.askers]) {
      if (closing.status === "answered") asker.answered(entry.value);
      else asker.closed(entry.request);
    }
    return entry.request;
  }

  // ── watching ─────────────────────────────────────────────────────────────

  /** Calls `tell` for each question that opens in `tasks` or below them, until the returned function is called. */
  onOpened(tasks: ReadonlySet<Task>, tell: (entry: RequestEntry) => void): () => void {
    return this.#open.watch(tasks, tell);
  }

  /**
   * Calls `watcher` with each request that opens, and with `undefined` at the close, until the returned function is
   * called.
   */
  watch(watcher: (entry: RequestEntry | undefined) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** The open requests that fit, oldest first. */
  opened(who: Omit<RequestFilter, "status">): Iterable<RequestEntry> {
    return this.#among(true, who);
  }

  /** The open requests of `tasks` and of the tasks below them, oldest first. */
  openedBelow(tasks: ReadonlySet<Task>): Iterable<RequestEntry> {
    return this.#open.below(tasks);
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
    for (const entry of this.#openOf(task)) this.close(entry, { status: "withdrawn" });
  }

  /** The attempt of `task` is over and another follows: requests with a key stay open for the next attempt (A3). */
  handOver(task: Task): void {
    for (const entry of this.#openOf(task))
      if (entry.request.key === undefined) this.close(entry, { status: "withdrawn" });
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
    for (const entry of this.#openOf(task)) {
      if (entry.request.key === undefined || entry.request.key === key) continue;
      if (entry.request.key === was || entry.askers.size === 0) this.close(entry, { status: "withdrawn" });
    }
  }

  // ── after a restart ──────────────────────────────────────────────────────

  /** All requests, in order of opening, for a snapshot. */
  get all(): readonly InboxRequest[] {
    return Array.from(this.#entries.values(), (entry) => entry.request);
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
    for (const entry of this.#openOf(task)) {
      const { expiresAt } = entry.request;
      if (expiresAt !== undefined) this.#expireAt(entry, expiresAt);
    }
  }

  #expireAt(entry: RequestEntry, expiresAt: number): void {
    const { clock } = this.#loop;
    const close = () => this.close(entry, { status: "expired" });
    const left = expiresAt - clock.now();
    entry.expiry?.cancel();
    // The request may have expired while no process was running. Otherwise at most its whole time remains (C7).
    if (left < 0) close();
    else entry.expiry = Alarm.within(clock, Math.min(left, expiresAt - entry.request.createdAt), expiresAt, close);
  }

  /** The task is left for another process, which counts the expiry of its questions. */
  cancelExpiry(task: Task): void {
    for (const entry of this.#openOf(task)) entry.expiry?.cancel();
  }

  /** The record of `task` is evicted: removes its requests. */
  forget(task: Task): void {
    for (const id of task.extras?.requests?.all ?? []) this.#entries.delete(id);
  }

  /** The manager is closed: ends every watch. */
  closeAll(): void {
    for (const watcher of [...this.#watchers]) watcher(undefined);
  }
}

/** Whether the request was not reported to `owner` before; from now on it was (W4). */
export function isNewTo(entry: RequestEntry, owner: Owner): boolean {
  if (entry.seenBy?.has(owner)) return false;
  entry.seenBy ??= new Set();
  entry.seenBy.add(owner);
  return true;
}

/** The entry of a request that opens now, or that an earlier process opened: then `openedSeq` is 0. */
function newEntry(task: Task, request: InboxRequest, openedSeq: number, order: number): RequestEntry {
  return {
    task,
    request,
    schema: undefined,
    askers: new Set(),
    seenBy: undefined,
    value: undefined,
    expiry: undefined,
    order,
    openedSeq,
    awaitingSchema: openedSeq === 0 ? new Set() : undefined,
    next: undefined,
  };
}

/** The function asks the question again, so its schema is known: answers that waited for the schema continue. */
export function supplySchema(entry: RequestEntry, schema: StandardSchemaV1 | undefined): void {
  if (entry.awaitingSchema === undefined) return;
  entry.schema = schema;
  resumeAnswers(entry);
}

function requestsOf(task: Task): TaskRequests {
  const extras = extrasOf(task);
  extras.requests ??= new TaskRequests();
  return extras.requests;
}

function resumeAnswers(entry: RequestEntry): void {
  const { awaitingSchema } = entry;
  entry.awaitingSchema = undefined;
  for (const tell of awaitingSchema ?? []) tell();
}
