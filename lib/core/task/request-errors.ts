// Request errors: why a request cannot be answered, or ended without an answer (§12).

import { idInWords } from "../values/safe-read.js";
import { ErrandError } from "./errand-error.js";
import type { InboxRequest } from "./request.js";

/** No request has this id: it was never opened, or the record of its task was evicted. */
export class RequestNotFoundError extends ErrandError {
  /** Code of the error. */
  readonly code = "REQUEST_NOT_FOUND";
  /** The id that was looked up. */
  readonly requestId: string;
  constructor(requestId: string, isTask = false) {
    const why = isTask
      ? `${idInWords(requestId)} is the id of a task. Its questions are in inbox.list({ taskId: ${JSON.stringify(requestId)} }), each with its own id`
      : "it was never opened, or the record of its task was evicted. Check the id against inbox.list()";
    super(`There is no request ${idInWords(requestId)}: ${why}`);
    this.requestId = requestId;
  }
}

/** The request is closed already. `request` says how it was closed. */
export class AlreadyAnsweredError extends ErrandError {
  /** Code of the error. */
  readonly code = "ALREADY_ANSWERED";
  /** The closed request. */
  readonly request: InboxRequest;
  constructor(request: InboxRequest) {
    super(
      `Request ${idInWords(request.id)} is no longer open: ${request.status}${request.by === undefined ? "" : ` by ${idInWords(request.by)}`}. Leave it as it is: only the first answer counts`,
    );
    this.request = request;
  }
}

/** The request was rejected. The wait of its asker rejects with this error. */
export class RequestRejectedError extends ErrandError {
  /** Code of the error. */
  readonly code = "REQUEST_REJECTED";
  /** The request. */
  readonly requestId: string;
  /** Why it was rejected. */
  readonly reason: string;
  /** The person or program that rejected it. */
  readonly by: string;
  constructor(requestId: string, reason: string, by: string) {
    super(
      `Request ${idInWords(requestId)} was rejected by ${idInWords(by)}: ${endingIn(".", reason)} Go on without it, or ask something else`,
    );
    this.requestId = requestId;
    this.reason = reason;
    this.by = by;
  }
}

/** The request was not answered within its `timeoutMs`. The wait of its asker rejects with this error. */
export class RequestExpiredError extends ErrandError {
  /** Code of the error. */
  readonly code = "REQUEST_EXPIRED";
  /** The request. */
  readonly requestId: string;
  constructor(requestId: string) {
    super(
      `Request ${idInWords(requestId)} expired: no answer came in time. Ask again with a longer timeoutMs, or set onTimeout`,
    );
    this.requestId = requestId;
  }
}

/** The text as a sentence: `stop` is added where the text has no sign at its end. */
function endingIn(stop: string, text: string): string {
  return /[.!?…]$/u.test(text) ? text : `${text}${stop}`;
}
