// Messages: notes to and from a running task (§8).
//
// Owns nothing: each task's mailbox keeps its messages. Sending and posting are commands to the loop; receiving is a
// wait. Called by handles, contexts and the message tool, by the runner when a function starts, and by the consequences
// with each message. A message that answers a question goes to `answering.ts`: only an answer to the request resumes
// the asker, and a message never answers an approval (A5).

import type { Kinds } from "../kinds/kind-registry.js";
import { extrasOf } from "../live/extras.js";
import { Mailbox, type Receiver, type Unread } from "../live/mailbox.js";
import type { Attempt, Task } from "../live/task.js";
import type { Loop } from "../loop.js";
import { checkSendOptions, takeContent, toAnswer } from "../task/content.js";
import { InvalidInputError, TaskElsewhereError, TaskTerminatedError } from "../task/errors.js";
import type { Content, Message, SendOptions } from "../task/message.js";
import type { InboxRequest } from "../task/request.js";
import { checkMs, checkOptions, checkSignal } from "../values/checks.js";
import { handled, ignore } from "../values/handled.js";
import type { Ids } from "../values/ids.js";
import type { GuardedLogger } from "../values/logger.js";
import { ambientAttempt, waiterOf } from "../waits/ambient.js";
import { keeperOf, type WaitOptions, type Waits } from "../waits/waits.js";
import type { Answering } from "./answering.js";
import type { Requests } from "./requests.js";

interface MessageDeps {
  readonly loop: Loop;
  readonly waits: Waits;
  readonly requests: Requests;
  readonly answering: Answering;
  readonly ids: Ids;
  readonly kinds: Kinds;
  readonly logger: GuardedLogger;
  /** The ids that this process shares with others; `undefined`: it shares none. */
  readonly standbys: MessageIds | undefined;
}

/** The part of the shared ids of several processes that messages need (D9). */
interface MessageIds {
  /** Resolves once it is known which process has the id of the task; `undefined`: it is known. */
  known(task: Task): Promise<void> | undefined;
  /** The other process that has the id of the task. */
  processOf(task: Task): string | undefined;
}

/** The progress of a message to a task. */
export interface Sent {
  /** Resolves when the message is stored. */
  readonly stored: Promise<Message>;
  /** A waiting `receive` has taken the message. */
  readonly isTaken: boolean;
  /**
   * Resolves when `deliver` of the task's kind has ended. `undefined`: the kind has no `deliver`, or calls it when the
   * function starts.
   */
  readonly steered: Promise<Steered> | undefined;
}
/** How `deliver` ended. `over`: the task ended first. */
export type Steered = { readonly is: "taken" | "over" } | { readonly is: "failed"; readonly error: unknown };

/** Sending, posting and receiving of messages. */
export class Messages {
  readonly #loop: Loop;
  readonly #waits: Waits;
  readonly #requests: Requests;
  readonly #answering: Answering;
  readonly #ids: Ids;
  readonly #kinds: Kinds;
  readonly #logger: GuardedLogger;
  readonly #deps: MessageDeps;

  constructor(deps: MessageDeps) {
    const { loop, waits, requests, answering, ids, kinds, logger } = deps;
    this.#kinds = kinds;
    this.#logger = logger;
    this.#deps = deps;
    this.#loop = loop;
    this.#waits = waits;
    this.#requests = requests;
    this.#answering = answering;
    this.#ids = ids;
  }

  /** Sends a message to the task. Resolves when it is stored. */
  send(task: Task, content: Content, options: SendOptions = {}): Promise<Message> {
    try {
      checkSendOptions("send", options);
      const message = this.#make(task, "inbound", content, options);
      const request = options.inReplyTo === undefined ? undefined : this.#requests.get(options.inReplyTo);
      if (request?.taskId === task.id) return this.#answer(task, message, request);
      return this.#put(task, message).stored;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Same as `send`, for a message that answers no question; returns its progress. */
  pass(task: Task, content: Content): Sent {
    return this.#put(task, this.#make(task, "inbound", content, {}));
  }

  #put(task: Task, message: Message): Sent {
    const elsewhere = task.isOver ? undefined : this.#elsewhere(task);
    if (elsewhere !== undefined) throw elsewhere;
    const refused = this.#loop.apply(task, { type: "send", message });
    if (refused !== undefined) throw new TaskTerminatedError(task.id, "it takes no messages");
    const isTaken = !mailboxOf(task).isUnread(message);
    const steered = this.#steer(task, message);
    // The caller may ignore this promise. Its rejection must not end the process when a manager closes while its store
    // fails (C5).
    return { stored: handled(this.#received(task, message)), isTaken, steered };
  }

  /** A task whose id another process has accepts no messages here: its function would never receive them (S8, D9). */
  #elsewhere(task: Task): TaskElsewhereError | undefined {
    const instanceId = this.#deps.standbys?.processOf(task);
    return instanceId === undefined ? undefined : new TaskElsewhereError(task.id, instanceId);
  }

  /**
   * Resolves when the message is stored and the task belongs to this process. A message that was sent before that was
   * known, to a task of another process, is taken back.
   */
  #received(task: Task, message: Message): Promise<Message> {
    const stored = this.#delivered(message);
    const claimed = this.#deps.standbys?.known(task);
    if (claimed === undefined) return stored;
    return Promise.all([stored, claimed]).then(() => {
      const elsewhere = this.#elsewhere(task);
      if (elsewhere === undefined) return message;
      mailboxOf(task).read(message);
      const extras = extrasOf(task);
      extras.unsteered = extras.unsteered?.filter((each) => each !== message);
      throw elsewhere;
    });
  }

  /** Stores the message together with the answer, because the answer may end the task. */
  async #answer(task: Task, message: Message, { id, kind }: InboxRequest): Promise<Message> {
    if (kind === "approval") {
      throw new InvalidInputError(`A message cannot answer request ${id}`, [
        { message: "an approval is answered through the inbox" },
      ]);
    }
    const by = ambientAttempt()?.task.id ?? task.sessionId ?? "message";
    await this.#answering.answerBy(id, toAnswer(message.content), by, () => {
      this.#loop.apply(task, { type: "send", message });
    });
    return this.#delivered(message);
  }

  /**
   * Follows a fact, live or replayed: the mailbox keeps the message. A message that answers a question of the task is
   * read already. Another message to a task whose function does not run waits for the start of the function too.
   * Returns whether the function may receive it.
   */
  follow(task: Task, message: Message, seq: number): boolean {
    const { inReplyTo } = message;
    const isAnswer = inReplyTo !== undefined && this.#requests.get(inReplyTo)?.taskId === task.id;
    if (isAnswer) {
      mailboxOf(task).keep(message);
      return false;
    }
    mailboxOf(task).add(message, seq);
    if (message.direction === "outbound") return false;
    if (task.state.status === "queued") {
      const extras = extrasOf(task);
      extras.unsteered ??= [];
      extras.unsteered.push(message);
    }
    return true;
  }

  /** The function starts: its kind receives the messages that were sent before. */
  started(task: Task): void {
    const { extras } = task;
    if (extras?.unsteered === undefined) return;
    const { unsteered } = extras;
    extras.unsteered = undefined;
    for (const message of unsteered) void this.#steer(task, message);
  }

  /** Calls `deliver` of the task's kind with each message once it is stored, one message at a time (§10). */
  #steer(task: Task, message: Message): Promise<Steered> | undefined {
    const deliver = this.#kinds.of(task)?.deliver;
    if (deliver === undefined) return undefined;
    // The kind receives the message when the function starts.
    if (task.attempt === undefined) return undefined;
    const extras = extrasOf(task);
    const steer = async (): Promise<Steered> => {
      if (task.isOver) return { is: "over" };
      try {
        await deliver(task.record, message);
        return { is: "taken" };
      } catch (error) {
        // The task continues.
        const what = `deliver of kind ${task.traits.kind} threw: task ${task.id}, message ${message.id}`;
        this.#logger.warn(what, { error });
        return { is: "failed", error };
      }
    };
    return new Promise((resolve) => {
      this.#loop.call(() => {
        const before = extras.steering ?? Promise.resolve();
        extras.steering = before.then(steer).then(resolve);
      });
    });
  }

  /**
   * Sends a message from the task to its owner. Resolves when stored. The message of a function that is over is
   * dropped, and the call rejects (S2).
   */
  post(attempt: Attempt, content: Content, options: SendOptions = {}): Promise<Message> {
    const { task } = attempt;
    let message: Message;
    try {
      checkSendOptions("post", options);
      message = this.#make(task, "outbound", content, options);
    } catch (error) {
      return Promise.reject(error);
    }
    const command = { type: "post", attempt: attempt.number, message } as const;
    if (!this.#loop.writeOf(attempt, command)) return this.#waits.dropped(attempt);
    task.extras?.deadlines?.sign();
    return handled(this.#delivered(message));
  }

  /** Resolves with the oldest unread inbound message; with `undefined` when `timeoutMs` passes first. */
  receive(
    attempt: Attempt,
    options: WaitOptions & { timeoutMs?: number | undefined } = {},
  ): Promise<Message | undefined> {
    let timeoutMs: number | undefined;
    let signal: AbortSignal | undefined;
    try {
      checkOptions("receive", options, "timeoutMs", "signal");
      ({ timeoutMs, signal } = options);
      checkMs("timeoutMs", timeoutMs);
      checkSignal("signal", signal);
    } catch (error) {
      return Promise.reject(error);
    }
    const mailbox = mailboxOf(attempt.task);
    const waiter = waiterOf(attempt);
    const refused = this.#waits.refusalThrough(attempt, waiter, signal);
    if (refused !== undefined) return refused;
    const unread = mailbox.takeUnread();
    const limit = timeoutMs === undefined ? undefined : { ms: timeoutMs, late: () => ({ value: undefined }) };
    // The message was taken but not delivered, because the function ended or the limit passed first: it becomes unread
    // again.
    const claimsOf = (taken: Unread) => ({ claim: ignore, commit: ignore, release: () => mailbox.putBack(taken) });
    if (unread !== undefined) {
      const { message, seq } = unread;
      return this.#waits.answer<Message | undefined>(waiter, () => message, {
        needs: seq,
        handing: claimsOf(unread),
        signal,
        limit,
      });
    }
    if (timeoutMs === 0) return Promise.resolve(undefined);
    const keeper = keeperOf(waiter, this.#waits);
    return keeper.open<Message | undefined>(
      waiter,
      () => ({ on: "message" }),
      signal,
      (wait) => {
        const receiver: Receiver = {
          place: -1,
          resolve: (taken: Unread) => wait.resolve(taken.message, claimsOf(taken)),
          reject: (error: Error) => wait.reject(error),
        };
        mailbox.receivers.push(receiver);
        return () => mailbox.receivers.remove(receiver);
      },
      { limit },
    );
  }

  #make(task: Task, direction: Message["direction"], content: Content, options: SendOptions): Message {
    const { inReplyTo } = options;
    return Object.freeze({
      id: this.#ids.next("message"),
      taskId: task.id,
      direction,
      content: takeContent(content),
      ...(inReplyTo === undefined ? {} : { inReplyTo }),
      createdAt: this.#loop.clock.now(),
    });
  }

  #delivered(message: Message): Promise<Message> {
    return this.#loop.told(message);
  }
}

/** The mailbox of `task`, made when it is first needed. */
export function mailboxOf(task: Task): Mailbox {
  const extras = extrasOf(task);
  extras.mailbox ??= new Mailbox();
  return extras.mailbox;
}
