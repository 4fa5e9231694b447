// Asking: a task's function opens a question, or finds its earlier question by the key, and waits for the answer (A1,
// A3, A5).
//
// Owns nothing: the requests are in `requests.ts`. Called by a task's context (`ask`, `approve`). Calls the requests
// and the waits. A pending question holds no slot: its wait is a wait like any other.

import type { OpenWait } from "../live/open-wait.js";
import type { Attempt, Task } from "../live/task.js";
import type { Loop } from "../loop.js";
import { judge, valueOf } from "../schema/schema.js";
import { IdConflictError, RequestExpiredError, RequestRejectedError, ScopeCancelledError } from "../task/errors.js";
import { type InboxRequest, isSameQuestion, type Question } from "../task/request.js";
import { show } from "../values/checks.js";
import type { Ids } from "../values/ids.js";
import { idInWords } from "../values/safe-read.js";
import { waiterOf } from "../waits/ambient.js";
import { keeperOf, type Waits } from "../waits/waits.js";
import { type AskInput, answerTo, takeQuestion } from "./question.js";
import { type Asker, type RequestEntry, type Requests, supplySchema } from "./requests.js";

interface AskingDeps {
  readonly loop: Loop;
  readonly waits: Waits;
  readonly requests: Requests;
  readonly ids: Ids;
}

/** Questions of tasks' functions. */
export class Asking {
  readonly #loop: Loop;
  readonly #waits: Waits;
  readonly #requests: Requests;
  readonly #ids: Ids;

  constructor({ loop, waits, requests, ids }: AskingDeps) {
    this.#loop = loop;
    this.#waits = waits;
    this.#requests = requests;
    this.#ids = ids;
  }

  /**
   * Opens the question of `attempt`, or finds it by its key, and waits for the answer. An approval waits for a yes. The
   * promise rejects when the question is rejected or withdrawn, or expires without a default.
   */
  ask<T>(attempt: Attempt, input: AskInput<T>, isApproval: boolean): Promise<T> {
    const waiter = waiterOf(attempt);
    let entry: RequestEntry;
    let isNew: boolean;
    try {
      const question = takeQuestion(input, isApproval);
      const refused = this.#waits.refusalThrough(attempt, waiter, input.signal);
      if (refused !== undefined) return refused;
      const known = this.#known(attempt.task, question);
      isNew = known === undefined;
      entry = known ?? this.#openNew(attempt, question, input);
    } catch (error) {
      return Promise.reject(error);
    }
    const { request } = entry;
    const onTimeout = input.onTimeout ?? "fail";
    if (request.status === "answered") return this.#answerAgain<T>(waiter, entry, input);
    if (request.status !== "open") return this.#resultOf(waiter, request, onTimeout, input.signal);
    supplySchema(entry, input.schema);
    const answer = keeperOf(waiter, this.#waits).open<T>(
      waiter,
      () => ({ on: "input", requestId: request.id }),
      input.signal,
      (wait) => {
        const asker: Asker = {
          answered: () => wait.resolve(valueFor<T>(entry)),
          closed: (closed) => settle(wait, closed, onTimeout),
        };
        entry.askers.add(asker);
        return () => {
          entry.askers.delete(asker);
          // A request without a key has this asker alone. When it is closed already, it stays as it is (A1).
          if (request.key === undefined) this.#requests.close(entry, { status: "withdrawn" });
        };
      },
    );
    if (isNew) this.#requests.announce(entry);
    return answer;
  }

  /**
   * The result for a request that was answered before. After a restart, the schema checks the stored answer once more
   * to make its value.
   */
  async #answerAgain<T>(waiter: Attempt | undefined, entry: RequestEntry, { schema, signal }: AskInput<T>): Promise<T> {
    const { request, awaitingSchema } = entry;
    if (awaitingSchema !== undefined) {
      const answer = request.kind === "approval" ? undefined : request.answer;
      const given = schema === undefined ? undefined : await judge(schema, structuredClone(answer), this.#loop.clock);
      entry.value = given === undefined ? answer : valueOf(given, answerTo(request));
      supplySchema(entry, schema);
    }
    return this.#waits.answer<T>(waiter, () => valueFor<T>(entry), { needs: this.#loop.seq, signal });
  }

  #known(task: Task, question: Question): RequestEntry | undefined {
    if (question.key === undefined) return undefined;
    const entry = this.#requests.ofKey(task, question.key);
    if (entry === undefined || isSameQuestion(entry.request, question)) return entry;
    throw new IdConflictError(
      question.key,
      `Task ${idInWords(task.id)} asked another question with the key ${show(question.key)}: use a key for each question`,
    );
  }

  #openNew<T>(attempt: Attempt, question: Question, input: AskInput<T>): RequestEntry {
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
    return this.#requests.open(attempt, request, input.schema);
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
}

/** The answer was checked against the schema, the choices or the type of the question, so it is a `T`. */
function valueFor<T>(entry: RequestEntry): T {
  return entry.value as T;
}

function settle<T>(wait: OpenWait<T>, request: InboxRequest, onTimeout: "fail" | { default: T }): void {
  if (request.status === "expired" && onTimeout !== "fail") wait.resolve(onTimeout.default);
  else wait.reject(closedBy(request));
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
