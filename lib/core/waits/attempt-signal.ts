// Signal: the platform's AbortSignal, on both sides of a task.
//
// A task's own signal is made when it is first read, because most are not (C5). A user's signal is followed with one listener
// for all that follow it, so that no fan-out warns, and the listener goes with the last follower.

import { setMaxListeners } from "node:events";
import { transferableAbortController } from "node:util";
import { isAbortError } from "abort-controller-x";
import type { Attempt } from "../live/task.js";
import { cancelledError, type TaskCancelledError } from "../task/errors.js";
import { messageOf } from "../task/failure.js";
import { read, readText, tagOf } from "../values/safe-read.js";

/** The attempt's signal; already aborted when it was stopped before anyone looked. */
export function signalOf(attempt: Attempt): AbortSignal {
  if (attempt.controller === undefined) {
    attempt.controller = controllerFor();
    if (attempt.stop !== undefined) abortSignal(attempt);
  }
  return attempt.controller.signal;
}

/** The platform's own, also where a library has replaced the global one by its own, whose signals `fetch` and Node refuse. */
function controllerFor(): AbortController {
  try {
    const controller = new AbortController();
    setMaxListeners(0, controller.signal);
    return controller;
  } catch {
    const controller = transferableAbortController();
    setMaxListeners(0, controller.signal);
    return controller;
  }
}

/** The reason of an aborted signal. Some signals that libraries make have none. */
export function reasonOf(signal: AbortSignal): unknown {
  return signal.reason === undefined ? new DOMException("This operation was aborted", "AbortError") : signal.reason;
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw reasonOf(signal);
}

/** Aborts the signal, if anybody has it. */
export function abortSignal(attempt: Attempt): void {
  attempt.controller?.abort(cancelErrorOf(attempt));
}

/** What the signal aborts with and the waits of the stopped task reject with (C4): one error for all of them. */
export function cancelErrorOf(attempt: Attempt): TaskCancelledError {
  attempt.cancelError ??= cancelledError(attempt.task.id, attempt.stop?.words ?? "cancel");
  return attempt.cancelError;
}

interface Followed {
  readonly followers: Set<() => void>;
  readonly listener: () => void;
}
const followed = new WeakMap<AbortSignal, Followed>();

/** Calls `onAbort` when the signal aborts, until the returned off is called. The signal is not aborted yet. */
export function follow(signal: AbortSignal, onAbort: () => void): () => void {
  let entry = followed.get(signal);
  if (entry === undefined) {
    const followers = new Set<() => void>();
    const listener = () => {
      followed.delete(signal);
      for (const follower of followers) follower();
    };
    entry = { followers, listener };
    followed.set(signal, entry);
    signal.addEventListener("abort", listener, { once: true });
  }
  const { followers, listener } = entry;
  followers.add(onAbort);
  return () => {
    if (!followers.delete(onAbort) || followers.size > 0 || followed.get(signal)?.followers !== followers) return;
    followed.delete(signal);
    signal.removeEventListener("abort", listener);
  };
}

/** What an abort reason says, as the words of a cancel. */
export function wordsOf(reason: unknown): string {
  const isPlatforms = readText(() => tagOf(reason)) === "DOMException";
  if (isPlatforms && read(() => isAbortError(reason))) return "aborted";
  return messageOf(reason);
}
