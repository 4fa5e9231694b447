// Answering: an answer is checked before its command (A2), and the first answer wins (A1).
//
// Owns nothing: the requests are in `requests.ts`. Called by the inbox, and by `messages.ts` for a message that answers
// a question. Calls the requests and the waits.

import type { Kinds } from "../kinds/kind-registry.js";
import type { Loop } from "../loop.js";
import { judge, valueOf } from "../schema/schema.js";
import { AlreadyAnsweredError, ManagerClosedError, RequestNotFoundError } from "../task/errors.js";
import type { InboxRequest } from "../task/request.js";
import { checkOptions, checkText, checkType, show } from "../values/checks.js";
import type { Waits } from "../waits/waits.js";
import { answerTo, checkAnswer } from "./question.js";
import type { RequestEntry, Requests } from "./requests.js";

interface AnsweringDeps {
  readonly loop: Loop;
  readonly waits: Waits;
  readonly requests: Requests;
  readonly kinds: Kinds;
}

/** Answers and rejections of requests. */
export class Answering {
  readonly #loop: Loop;
  readonly #waits: Waits;
  readonly #requests: Requests;
  readonly #kinds: Kinds;

  constructor({ loop, waits, requests, kinds }: AnsweringDeps) {
    this.#loop = loop;
    this.#waits = waits;
    this.#requests = requests;
    this.#kinds = kinds;
  }

  /** Answers request `id`. The answer is decided inside the call, unless its schema checks asynchronously. */
  answer(id: string, value: unknown, answered: { by: string }): Promise<InboxRequest> {
    return this.#replyOnceStored(this.#answer(id, value, answered, () => {}));
  }

  /**
   * Same as `answer`, for the author `by`. `onTaken` runs in the call in which the answer is decided, so facts that it
   * records are stored together with the answer.
   */
  answerBy(id: string, value: unknown, by: string, onTaken: () => void): Promise<InboxRequest> {
    return this.#replyOnceStored(this.#answer(id, value, { by }, onTaken));
  }

  async #answer(id: string, value: unknown, answered: { by: string }, onTaken: () => void): Promise<InboxRequest> {
    const entry = this.#find("answer", id, answered);
    const answer = checkAnswer(entry.request, value);
    if (entry.awaitingSchema !== undefined && entry.request.kind === "json") {
      // The function brings the schema. No function of an unregistered kind starts here, so no schema would come (A2).
      const missing = this.#kinds.missingOf(entry.task);
      if (missing !== undefined) throw missing;
      await this.#unlessClosed(entry.request, schemaKnown(entry.awaitingSchema));
      this.#refuseClosed(entry);
    }
    let given: unknown = entry.request.kind === "approval" ? undefined : value;
    if (entry.schema !== undefined) {
      const verdict = judge(entry.schema, value, this.#loop.clock);
      given = valueOf(
        "then" in verdict ? await this.#unlessClosed(entry.request, verdict) : verdict,
        answerTo(entry.request),
      );
      this.#refuseClosed(entry);
    }
    entry.value = given;
    const closed = this.#requests.close(entry, { status: "answered", answer, by: answered.by });
    onTaken();
    return closed;
  }

  /** Closes request `id` as rejected with `reason`. */
  reject(id: string, reason: string, answered: { by: string }): Promise<InboxRequest> {
    return this.#replyOnceStored(this.#reject(id, reason, answered));
  }

  async #reject(id: string, reason: string, answered: { by: string }): Promise<InboxRequest> {
    checkType("reason", reason, "string");
    const entry = this.#find("reject", id, answered);
    return this.#requests.close(entry, { status: "rejected", reason, by: answered.by });
  }

  /** A reply, and a refusal too, is delivered once the facts that it reports are stored (D1). */
  async #replyOnceStored<T>(reply: Promise<T>): Promise<T> {
    try {
      return await reply;
    } finally {
      await this.#loop.tell(undefined);
    }
  }

  #find(verb: "answer" | "reject", id: string, answered: { by: string }): RequestEntry {
    const options = `the options of ${verb}`;
    if (typeof answered !== "object" || answered === null)
      throw new TypeError(`${options} must be { by }: who answers, got ${show(answered)}`);
    checkOptions(verb, answered, "by");
    checkType("by", answered.by, "string");
    checkText("by", answered.by);
    if (this.#loop.phase.isClosed) throw new ManagerClosedError("it takes no answers");
    const entry = this.#requests.find(id);
    if (entry === undefined) throw new RequestNotFoundError(id, this.#requests.isTask(id));
    this.#refuseClosed(entry);
    return entry;
  }

  /** Waits for a schema only as long as the manager is open: a schema may never answer (D8). */
  #unlessClosed<P>(request: InboxRequest, parsed: Promise<P>): Promise<P> {
    const describe = () => ({ on: "input" as const, requestId: request.id });
    return this.#waits.open<P>(undefined, describe, undefined, (wait) => {
      // The check never rejects: a schema that throws gives a verdict, as any other.
      void parsed.then((given) => wait.resolve(given));
      return () => {};
    });
  }

  #refuseClosed(entry: RequestEntry): void {
    if (this.#loop.phase.isClosed) throw new ManagerClosedError("it takes no answers");
    if (entry.request.status !== "open") throw new AlreadyAnsweredError(entry.request);
  }
}

function schemaKnown(awaitingSchema: Set<() => void>): Promise<void> {
  return new Promise((resolve) => awaitingSchema.add(resolve));
}
