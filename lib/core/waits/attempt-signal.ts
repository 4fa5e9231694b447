// Attempt signal: the AbortSignal that the function of an attempt reads (C4, C5).
//
// Made when it is first read, because most are not.

import { setMaxListeners } from "node:events";
import { transferableAbortController } from "node:util";
import { isAbortError } from "abort-controller-x";
import type { Attempt } from "../live/task.js";
import { cancelledError, type TaskCancelledError } from "../task/errors.js";
import { thrownInWords } from "../task/failure.js";
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

/** Aborts the signal, if anybody has it. */
export function abortSignal(attempt: Attempt): void {
  attempt.controller?.abort(cancelErrorOf(attempt));
}

/** What the signal aborts with and the waits of the stopped task reject with (C4): one error for all of them. */
export function cancelErrorOf(attempt: Attempt): TaskCancelledError {
  attempt.cancelError ??= cancelledError(attempt.task.id, attempt.stop?.reason ?? "cancel");
  return attempt.cancelError;
}

/** What an abort reason says, as the words of a cancel. */
export function wordsOf(reason: unknown): string {
  const isPlatforms = readText(() => tagOf(reason)) === "DOMException";
  if (isPlatforms && read(() => isAbortError(reason))) return "aborted";
  return thrownInWords(reason);
}
