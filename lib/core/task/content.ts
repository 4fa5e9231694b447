// Content: the parts of a message, checked and copied from its sender, and read as an answer.
//
// Each part is checked whole: a part that is neither a text nor data, or that has another field, is refused by name
// (§12).

import { checkFields, checkOptions, checkText, show } from "../values/checks.js";
import { type Json, takeJson } from "../values/json.js";
import type { Content, Part, SendOptions } from "./message.js";

const PARTS = { text: ["type", "text"], data: ["type", "data"] } as const;

/** Checks the options of `send` and `post`. Throws a `TypeError` or `RangeError` that names the option. */
export function checkSendOptions(verb: "send" | "post", options: SendOptions): void {
  checkOptions(verb, options, "inReplyTo");
  checkText("inReplyTo", options.inReplyTo);
}

/** A frozen copy of the content. Throws a `TypeError` that names the part that does not fit. */
export function takeContent(content: Content): readonly Part[] {
  if (typeof content === "string") return Object.freeze([Object.freeze({ type: "text" as const, text: content })]);
  if (!Array.isArray(content)) throw new TypeError(`content must be a string or a list of parts, got ${show(content)}`);
  return Object.freeze(content.map((part: unknown, index) => Object.freeze(takePart(part, `content[${index}]`))));
}

function takePart(part: unknown, place: string): Part {
  if (typeof part === "object" && part !== null && "type" in part) {
    const { type } = part;
    if (type === "text" || type === "data") checkFields(place, part, PARTS[type]);
    if (type === "text" && "text" in part && typeof part.text === "string") return { type, text: part.text };
    if (type === "data" && "data" in part) return { type, data: takeJson(`${place}.data`, part.data) };
  }
  throw new TypeError(`${place} must be { type: "text", text } or { type: "data", data }, got ${show(part)}`);
}

/** The answer that a message contains: its one data part, or its text. */
export function toAnswer(content: readonly Part[]): Json {
  const [first] = content;
  if (content.length === 1 && first?.type === "data") return first.data;
  return content.map((part) => (part.type === "text" ? part.text : JSON.stringify(part.data))).join("\n");
}
