// Attempt signal: the AbortSignal of an attempt, which its function reads (C4, C5).
//
// It is made at the first read, because most functions never read it.

import { isAbortError } from "abort-controller-x";
import type { Attempt } from "../live/task.js";
import { cancelledError, type TaskCancelledError } from "../task/errors.js";
import { thrownInWords } from "../task/failure.js";
import { nodeEvents, nodeUtil } from "../values/node.js";
import { read, readText, tagOf } from "../values/safe-read.js";

/** The signal of the attempt. It is already aborted when the attempt was stopped before the first read. */
export function signalOf(attempt: Attempt): AbortSignal {
  if (attempt.controller === undefined) {
    attempt.controller = controllerFor();
    if (attempt.stop !== undefined) abortSignal(attempt);
  }
  return attempt.controller.signal;
}

/**
 * A controller of the platform, also when a library has replaced the global one by a class whose signals `fetch` and
 * Node refuse.
 */
function controllerFor(): AbortController {
  try {
    const controller = new AbortController();
    nodeEvents.setMaxListeners(0, controller.signal);
    return controller;
  } catch {
    const controller = nodeUtil.transferableAbortController();
    nodeEvents.setMaxListeners(0, controller.signal);
    return controller;
  }
}

/** Aborts the signal, if the function has read it. */
export function abortSignal(attempt: Attempt): void {
  attempt.controller?.abort(cancelErrorOf(attempt));
}

/**
 * The error with which the signal aborts and the waits of the stopped task reject (C4): the same error for all of them.
 */
export function cancelErrorOf(attempt: Attempt): TaskCancelledError {
  attempt.cancelError ??= cancelledError(attempt.task.id, attempt.stop?.reason ?? "cancel");
  return attempt.cancelError;
}

/** The text of an abort reason, as the reason of a cancel. */
export function wordsOf(reason: unknown): string {
  const isPlatforms = readText(() => tagOf(reason)) === "DOMException";
  if (isPlatforms && read(() => isAbortError(reason))) return "aborted";
  return thrownInWords(reason);
}
