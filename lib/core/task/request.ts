// Request: a question a task asks, and the one rule of its life: an open request is closed once (A1).
//
// Pure: no clock, no promise. The inbox owns the requests; this room says what may become of one.

import { isSameJson, type Json } from "../values/json.js";

export type RequestKind = "approval" | "choice" | "text" | "json";
export const REQUEST_STATUSES = ["open", "answered", "rejected", "expired", "withdrawn"] as const;
export type RequestStatus = (typeof REQUEST_STATUSES)[number];

/** A question a task asks. Stored before anyone sees it; its id is stable. */
export interface InboxRequest {
  readonly id: string;
  readonly taskId: string;
  readonly sessionId?: string;
  /** Of a task below another: the ids from its root down to it. */
  readonly path?: readonly string[];
  readonly kind: RequestKind;
  readonly status: RequestStatus;
  readonly question: string;
  readonly details?: Json;
  readonly choices?: readonly string[];
  /** Of a `json` request, when its schema can say it. */
  readonly jsonSchema?: Json;
  readonly key?: string;
  readonly createdAt: number;
  readonly expiresAt?: number;
  readonly answer?: Json;
  readonly reason?: string;
  readonly by?: string;
  readonly closedAt?: number;
}

export interface RequestFilter {
  status?: RequestStatus | undefined;
  taskId?: string | undefined;
  sessionId?: string | undefined;
}

/** Every given field must fit. */
export function fits(request: InboxRequest, { status, taskId, sessionId }: RequestFilter): boolean {
  return (
    (status === undefined || request.status === status) &&
    (taskId === undefined || request.taskId === taskId) &&
    (sessionId === undefined || request.sessionId === sessionId)
  );
}

/** How an open request ends. */
export type Closing =
  | { readonly status: "answered"; readonly answer: Json; readonly by: string }
  | { readonly status: "rejected"; readonly reason: string; readonly by: string }
  | { readonly status: "expired" }
  | { readonly status: "withdrawn" };

export type ClosedRequest = InboxRequest & { readonly status: Closing["status"] };

/** The closed request, or `undefined` when it is not open any more: the first closing wins. */
export function closeRequest(request: InboxRequest, closing: Closing, now: number): ClosedRequest | undefined {
  return request.status === "open" ? Object.freeze({ ...request, ...closing, closedAt: now }) : undefined;
}

/** Whether two asks with one key are the same question (A3). */
export function isSameQuestion(a: Question, b: Question): boolean {
  return isSameJson(contentOf(a), contentOf(b));
}

/** What a question says, apart from who asks and when. */
export type Question = Pick<InboxRequest, "kind" | "question" | "details" | "choices" | "jsonSchema" | "key">;

function contentOf(question: Question): Json {
  const { kind, details, choices, jsonSchema } = question;
  return [kind, question.question, maybe(details), choices ?? [], maybe(jsonSchema)];
}

/** None, and `null`, are two things. */
function maybe(json: Json | undefined): Json {
  return json === undefined ? [] : [json];
}
