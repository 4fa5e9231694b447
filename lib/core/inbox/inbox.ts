// Inbox: people, and programs that act for them, read the questions of tasks here and answer them (A1-A5).
//
// Owns the public contract and the watch. Called by the manager, a session and a context. Calls `requests.ts` for the
// requests and `answering.ts` for the check of an answer.

import { Stream } from "../events/stream.js";
import { checkRequestFilter } from "../live/filter.js";
import type { Loop } from "../loop.js";
import { fits, type InboxRequest, type RequestFilter } from "../task/request.js";
import { checkSignal } from "../values/checks.js";
import type { Answering } from "./answering.js";
import type { RequestEntry, Requests } from "./requests.js";

/**
 * The questions that tasks have asked, and the place where people answer them. A task that waits for an answer holds no
 * slot. The tools for a model cannot answer an approval.
 */
export interface Inbox {
  /**
   * The requests that fit `filter`, in order of opening. Without a `status` in the filter, only open requests are
   * listed.
   */
  list(filter?: RequestFilter): readonly InboxRequest[];
  /** The request with this id. `undefined` when there is none, or when the record of its task was evicted. */
  get(id: string): InboxRequest | undefined;
  /**
   * Answers the request `id`. The first answer wins. The call resolves with the closed request once the answer is
   * stored. An approval accepts only `true`; use `reject` to refuse it.
   * Rejects with:
   * - `InvalidInputError`: the value does not fit the question, or its schema threw or took longer than 10 s. The
   *   request stays open.
   * - `AlreadyAnsweredError`: the request is not open.
   * - `RequestNotFoundError`: there is no such request.
   * - `UnknownKindError`: a schema is needed to check the answer, the process was restarted, and this manager has not
   *   registered the kind of the task.
   * - `ManagerClosedError`: the manager is closed.
   * A question with a schema that was asked before a restart is checked when its task asks it again; the call waits
   * until then.
   *
   * @example
   * ```ts
   * import { TaskManager } from "errand";
   *
   * const manager = new TaskManager();
   * const task = manager.spawn((ctx) => ctx.ask({ question: "Which branch?" }));
   * for await (const request of manager.inbox.watch({ taskId: task.id })) {
   *   console.log(request.question); // Which branch?
   *   await manager.inbox.answer(request.id, "main", { by: "ada" });
   *   break;
   * }
   * console.log(await task.result()); // main
   * ```
   */
  answer(
    id: string,
    value: unknown,
    answered: {
      /** The person or program that answers; not empty. The record of the request keeps it. */
      by: string;
    },
  ): Promise<InboxRequest>;
  /**
   * Refuses the request `id`: the call of the task's function rejects with `RequestRejectedError`, which has this
   * reason. Rejects like `answer` for a request that is unknown or not open, or a closed manager.
   */
  reject(
    id: string,
    reason: string,
    answered: {
      /** The person or program that refuses; not empty. The record of the request keeps it. */
      by: string;
    },
  ): Promise<InboxRequest>;
  /**
   * Yields the open requests first, then each new request, each request once. A request is yielded once it is stored.
   * The iteration ends when `signal` aborts or the manager closes. `taskId` and `sessionId` select the requests.
   */
  watch(options?: {
    /** Ends the iteration. */
    signal?: AbortSignal | undefined;
    /** Only requests of this task. */
    taskId?: string | undefined;
    /** Only requests of tasks of this session. */
    sessionId?: string | undefined;
  }): AsyncIterable<InboxRequest>;
}

interface InboxDeps {
  readonly loop: Loop;
  readonly requests: Requests;
  readonly answering: Answering;
}

/** The inbox of one manager. */
export class RequestInbox implements Inbox {
  readonly #loop: Loop;
  readonly #requests: Requests;
  readonly #answering: Answering;

  constructor({ loop, requests, answering }: InboxDeps) {
    this.#loop = loop;
    this.#requests = requests;
    this.#answering = answering;
  }

  /** See `Inbox.list`. */
  list(filter?: RequestFilter): readonly InboxRequest[] {
    return this.#requests.list(filter);
  }

  /** See `Inbox.get`. */
  get(id: string): InboxRequest | undefined {
    return this.#requests.get(id);
  }

  /** See `Inbox.answer`. */
  answer(id: string, value: unknown, answered: { by: string }): Promise<InboxRequest> {
    return this.#answering.answer(id, value, answered);
  }

  /** See `Inbox.reject`. */
  reject(id: string, reason: string, answered: { by: string }): Promise<InboxRequest> {
    return this.#answering.reject(id, reason, answered);
  }

  /** See `Inbox.watch`. */
  watch(options: Parameters<Inbox["watch"]>[0] = {}): Stream<InboxRequest> {
    checkRequestFilter("watch", options, "signal");
    const { signal, ...who } = options;
    checkSignal("signal", signal);
    // First the requests that are open now, then each that is opened after them: no request is read twice.
    const open = [...this.#requests.opened(who)].reverse();
    let last = this.#requests.newest;
    const following = (): RequestEntry | undefined => {
      const early = open.pop();
      if (early !== undefined) return early;
      const { next: later } = last;
      last = later ?? last;
      return later;
    };
    let entry: RequestEntry | undefined;
    const next = () => {
      for (entry ??= following(); entry !== undefined; entry = following()) {
        // A request is yielded only once it is stored; the loop calls `wake` then (A1).
        if (entry.openedSeq > this.#loop.stored.deliverable) return undefined;
        const { request } = entry;
        if (request.status !== "open" || !fits(request, who)) continue;
        entry = undefined;
        return { value: request };
      }
      return undefined;
    };
    const isOver = () => this.#loop.phase.isClosed;
    const listen = (wake: () => void) => {
      if (this.#loop.seq > this.#loop.stored.deliverable) this.#loop.call(wake);
      return this.#requests.watch(() => this.#loop.call(wake));
    };
    return new Stream({ next, isOver, listen }, signal);
  }
}
