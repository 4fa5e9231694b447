// Request: a question that a task asks. An open request is closed once (A1).
//
// Pure: no clock, no promise. Owns the types and the rule of closing; the inbox owns the requests.

import { isSameJson, type Json } from "../values/json.js";

/**
 * Which answer a request takes: `true` (`approval`), one of its choices (`choice`), a string (`text`), or a JSON value
 * (`json`).
 */
export type RequestKind = "approval" | "choice" | "text" | "json";
/** Every status of a request. */
export const REQUEST_STATUSES = ["open", "answered", "rejected", "expired", "withdrawn"] as const;
/** Status of a request: `open`, or closed in one of four ways. A closed request never changes. */
export type RequestStatus = (typeof REQUEST_STATUSES)[number];

/** A question that a task asks. With a store, it is stored before anyone sees it. */
export interface InboxRequest {
  /** Id of the request. A restart keeps it. */
  readonly id: string;
  /** The task that asks. */
  readonly taskId: string;
  /** The session of the task. Absent for a task without a session. */
  readonly sessionId?: string;
  /** Ids from the root of the task down to the task itself. Absent for a root. */
  readonly path?: readonly string[];
  /** Which answer the request takes. */
  readonly kind: RequestKind;
  /** Whether the request is open, and otherwise how it was closed. */
  readonly status: RequestStatus;
  /** The question, as a text. */
  readonly question: string;
  /** More data for the person or program that answers. */
  readonly details?: Json;
  /** The answers that a `choice` request takes. */
  readonly choices?: readonly string[];
  /** JSON Schema of the answer to a `json` request, when the schema of the request can be given as JSON Schema. */
  readonly jsonSchema?: Json;
  /** Key of the request within its task: a retry or a restart that asks with this key finds this request. */
  readonly key?: string;
  /** Instant of opening, in epoch milliseconds. */
  readonly createdAt: number;
  /** Instant at which the request expires, in epoch milliseconds. Absent for a request without a limit. */
  readonly expiresAt?: number;
  /** The answer to an `answered` request. */
  readonly answer?: Json;
  /** Why a `rejected` request was rejected. */
  readonly reason?: string;
  /** The person or program that answered or rejected the request. */
  readonly by?: string;
  /** Instant of closing, in epoch milliseconds. */
  readonly closedAt?: number;
}

/** Selects requests. Every field that is given must match. */
export interface RequestFilter {
  /** Status of the request: one, or a list of those that fit. */
  status?: RequestStatus | readonly RequestStatus[] | undefined;
  /** The task that asks. */
  taskId?: string | undefined;
  /** The session of the task that asks. */
  sessionId?: string | undefined;
}

/** Whether every field of the filter matches `request`. */
export function fits(request: InboxRequest, { status, taskId, sessionId }: RequestFilter): boolean {
  return (
    (status === undefined ||
      (typeof status === "string" ? status === request.status : status.includes(request.status))) &&
    (taskId === undefined || request.taskId === taskId) &&
    (sessionId === undefined || request.sessionId === sessionId)
  );
}

/** How an open request is closed. */
export type Closing =
  /** A person or program answered. */
  | { readonly status: "answered"; readonly answer: Json; readonly by: string }
  /** A person or program rejected the question. */
  | { readonly status: "rejected"; readonly reason: string; readonly by: string }
  /** No answer came in time. */
  | { readonly status: "expired" }
  /** The asker does not wait for an answer. */
  | { readonly status: "withdrawn" };

/** A request that is closed. */
export type ClosedRequest = InboxRequest & { readonly status: Closing["status"] };

/** Closes `request`. Returns `undefined` when it is closed already: the first closing wins (A1). */
export function closeRequest(request: InboxRequest, closing: Closing, now: number): ClosedRequest | undefined {
  return request.status === "open" ? Object.freeze({ ...request, ...closing, closedAt: now }) : undefined;
}

/** Whether two questions with one key are the same question (A3). */
export function isSameQuestion(a: Question, b: Question): boolean {
  return isSameJson(contentOf(a), contentOf(b));
}

/** The content of a question, without its asker and its time. */
export type Question = Pick<InboxRequest, "kind" | "question" | "details" | "choices" | "jsonSchema" | "key">;

function contentOf(question: Question): Json {
  const { kind, details, choices, jsonSchema } = question;
  return [kind, question.question, maybe(details), choices ?? [], maybe(jsonSchema)];
}

/** Makes a missing value different from `null`. */
function maybe(json: Json | undefined): Json {
  return json === undefined ? [] : [json];
}
