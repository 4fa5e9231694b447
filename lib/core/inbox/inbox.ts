// Inbox: where people, and programs for them, read the questions of tasks and answer them (A1-A5).
//
// Owns the public contract. The requests are in `requests.ts`; answers are checked in `answering.ts`.

import { Stream } from "../events/stream.js";
import { checkRequestFilter } from "../live/filter.js";
import type { Loop } from "../loop.js";
import { fits, type InboxRequest, type RequestFilter } from "../task/request.js";
import { checkSignal } from "../values/checks.js";
import type { Answering } from "./answering.js";
import type { Asked, Requests } from "./requests.js";

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

interface InboxDeps {
  readonly loop: Loop;
  readonly requests: Requests;
  readonly answering: Answering;
  readonly isClosed: () => boolean;
}

export class RequestInbox implements Inbox {
  readonly #loop: Loop;
  readonly #requests: Requests;
  readonly #answering: Answering;
  readonly #isClosed: () => boolean;

  constructor({ loop, requests, answering, isClosed }: InboxDeps) {
    this.#loop = loop;
    this.#requests = requests;
    this.#answering = answering;
    this.#isClosed = isClosed;
  }

  list(filter?: RequestFilter): readonly InboxRequest[] {
    return this.#requests.list(filter);
  }

  get(id: string): InboxRequest | undefined {
    return this.#requests.get(id);
  }

  answer(id: string, value: unknown, answered: { by: string }): Promise<InboxRequest> {
    return this.#answering.answer(id, value, answered);
  }

  reject(id: string, reason: string, answered: { by: string }): Promise<InboxRequest> {
    return this.#answering.reject(id, reason, answered);
  }

  watch(options: Parameters<Inbox["watch"]>[0] = {}): Stream<InboxRequest> {
    checkRequestFilter("watch", options, "signal");
    const { signal, ...who } = options;
    checkSignal("signal", signal);
    // First the requests that are open now, then each that is opened after them: no request is read twice.
    const open = [...this.#requests.opened()].reverse();
    let last = this.#requests.newest;
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
      return this.#requests.watch(() => this.#loop.call(wake));
    };
    return new Stream({ next, isOver, listen }, signal);
  }
}
