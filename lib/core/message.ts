// Message: a stored note between a task and its owner, and how its content is taken.
//
// Owns the words and the check of what comes in; the mailboxes are in `mailbox.ts`.

import { type Json, takeJson } from "./json.js";

export type Part = { readonly type: "text"; readonly text: string } | { readonly type: "data"; readonly data: Json };

export interface Message {
  readonly id: string;
  readonly taskId: string;
  readonly direction: "inbound" | "outbound";
  readonly content: readonly Part[];
  readonly inReplyTo?: string;
  readonly createdAt: number;
}

/** A string is one text part. */
export type Content =
  | string
  | readonly ({ readonly type: "text"; readonly text: string } | { readonly type: "data"; readonly data: unknown })[];

export interface SendOptions {
  inReplyTo?: string | undefined;
}

export function takeContent(content: Content): readonly Part[] {
  if (typeof content === "string") return Object.freeze([Object.freeze({ type: "text" as const, text: content })]);
  if (!Array.isArray(content))
    throw new TypeError(`content must be a string or a list of parts, got ${typeof content}`);
  return Object.freeze(content.map((part: unknown, index) => Object.freeze(takePart(part, `content[${index}]`))));
}

function takePart(part: unknown, place: string): Part {
  if (typeof part === "object" && part !== null && "type" in part) {
    if (part.type === "text" && "text" in part && typeof part.text === "string")
      return { type: "text", text: part.text };
    if (part.type === "data" && "data" in part) return { type: "data", data: takeJson(`${place}.data`, part.data) };
  }
  throw new TypeError(`${place} must be { type: "text", text } or { type: "data", data }`);
}

/** What a message says as an answer: its one data part, or its text. */
export function toAnswer(content: readonly Part[]): Json {
  const [first] = content;
  if (content.length === 1 && first?.type === "data") return first.data;
  return content.map((part) => (part.type === "text" ? part.text : JSON.stringify(part.data))).join("\n");
}
