// Item pages: the messages and custom events of a task, which a model reads page by page (N1).
//
// Items are numbered from 1 in the order of their arrival. A place is a number, or a number and a character within that
// item: "12:980". A page ends when it is full, also inside a long item, and names the place where the next page begins.

import type { Task } from "../../core/live/task.js";
import type { Message } from "../../core/task/message.js";
import type { Json } from "../../core/values/json.js";
import { isInside } from "../../core/values/safe-read.js";
import { visible, visibleText } from "../prompt/visible.js";
import { bytesOf, cut, definedFields, headOf, type Result } from "./fit-to-bytes.js";
import { ToolRefusal } from "./refusals.js";

const MOST_OF_NAME = 60;
/** The bytes of the fields around the text of one item. */
const AROUND = 60;

/** The numbered messages or events of one task. */
interface NumberedItems {
  /** The number of the oldest item that is kept. */
  readonly oldest: number;
  /** The number of the newest item; 0 when there is none. */
  readonly newest: number;
  /** The item without its text. */
  readonly about: (number: number) => Result;
  readonly textOf: (number: number) => string;
}

/** The messages of a task, in both directions. */
export function messagesOf({ extras }: Task): NumberedItems {
  const mailbox = extras?.mailbox;
  const at = (number: number) => mailbox?.at(number - 1);
  return {
    oldest: 1,
    newest: mailbox?.size ?? 0,
    about: (number) => ({ from: fromOf(at(number)) }),
    textOf: (number) => messageText(at(number)),
  };
}

/** The custom events of a task. */
export function eventsOf({ noticed }: Task): NumberedItems {
  const emitted = noticed?.emitted;
  return {
    oldest: emitted?.oldest ?? 1,
    newest: emitted?.newest ?? 0,
    about: (number) => ({ event: cut(emitted?.at(number)?.name ?? "", MOST_OF_NAME) ?? "" }),
    textOf: (number) => jsonText(emitted?.at(number)?.payload),
  };
}

/** The sender of a message, as a model reads it. */
export function fromOf(message: Message | undefined): string {
  return message?.direction === "outbound" ? "task" : "owner";
}

/** The content of a message as one text; its data parts are JSON. */
export function messageText(message: Message | undefined): string {
  const parts = message?.content ?? [];
  return parts.map((part) => (part.type === "text" ? part.text : visibleText(part.data))).join("\n");
}

function jsonText(payload: Json | undefined): string {
  if (payload === undefined) return "";
  return typeof payload === "string" ? payload : visibleText(payload);
}

/** Reads the page that begins at the place `from`. The page is the field `field`; the input `field`_from reads on. */
export function pageReader(
  items: NumberedItems,
  field: "messages" | "events",
  from: string,
): (bytes: number) => Result {
  const [number = 1, character = 0] = placeIn(field, from);
  const { oldest, newest, about, textOf } = items;
  if (newest === 0) throw new ToolRefusal(`There are no ${field}`, `get_task without ${field}_from`);
  const first = Math.max(number, oldest);
  const missing = first - number;
  const texts = new Map<number, string>();
  const visibleTextOf = (each: number): string => {
    const text = texts.get(each) ?? visible(textOf(each));
    texts.set(each, text);
    return text;
  };
  return (bytes) => {
    const shown: Result[] = [];
    let left = bytes;
    let after = number === first ? character : 0;
    let next: string | undefined;
    for (let each = first; each <= newest; each++) {
      const text = visibleTextOf(each);
      const begin = isInside(text, after) ? after - 1 : after;
      left -= AROUND;
      const part = left > 0 ? headOf(text.slice(begin, begin + left), left) : "";
      const end = begin + part.length;
      if (part === "" && end < text.length) {
        next = begin === 0 ? String(each) : `${each}:${begin}`;
        break;
      }
      shown.push({ n: each, ...about(each), ...(text === "" ? {} : { text: part }) });
      left -= bytesOf(part);
      after = 0;
      if (end < text.length) next = `${each}:${end}`;
      if (next !== undefined) break;
    }
    return definedFields({
      [field]: shown,
      newest,
      missing: missing > 0 ? missing : undefined,
      more: next === undefined ? undefined : `get_task with ${field}_from "${next}"`,
    });
  };
}

function placeIn(field: string, from: string): number[] {
  const place = /^(\d{1,15})(?::(\d{1,15}))?$/.exec(from);
  if (place === null)
    throw new ToolRefusal(`${field}_from must be a number from 1 on, or a place such as "12:980"`, "Nothing was done");
  return place.slice(1).flatMap((digits) => (digits === undefined ? [] : [Number(digits)]));
}

/** The call that reads the items from `number` on. */
export function readFrom(field: "messages" | "events", number: number): string {
  return `get_task with ${field}_from "${number}"`;
}
