// Said: what a task said, read on page by page: its messages and its custom events (N1).
//
// Both are numbered from 1 in order of coming. A place is a number, or a number and a character of that one: "12:980". A page ends where its
// room ends, in the middle of a long one if need be, and says where the next page begins: so all of it can be read.

import type { Task } from "../../core/live/task.js";
import type { Message } from "../../core/task/message.js";
import type { Json } from "../../core/values/json.js";
import { isInside } from "../../core/values/safe-read.js";
import { visible, visibleText } from "../prompt/visible.js";
import { bytesOf, cut, headOf, present, type Result } from "./fit-to-bytes.js";
import { Refused } from "./refusals.js";

const MOST_OF_NAME = 60;
/** Bytes for the fields around the text of one item. */
const AROUND = 60;

/** The word for what is numbered: messages, or events. */
interface Said {
  readonly oldest: number;
  readonly newest: number;
  /** The item without its text. */
  readonly about: (number: number) => Result;
  readonly textOf: (number: number) => string;
}

export function messagesOf({ extras: desk }: Task): Said {
  const mailbox = desk?.mailbox;
  const at = (number: number) => mailbox?.at(number - 1);
  return {
    oldest: 1,
    newest: mailbox?.size ?? 0,
    about: (number) => ({ from: fromOf(at(number)) }),
    textOf: (number) => messageText(at(number)),
  };
}

export function eventsOf({ noticed }: Task): Said {
  const emitted = noticed?.emitted;
  return {
    oldest: emitted?.oldest ?? 1,
    newest: emitted?.newest ?? 0,
    about: (number) => ({ event: cut(emitted?.at(number)?.name ?? "", MOST_OF_NAME) ?? "" }),
    textOf: (number) => jsonText(emitted?.at(number)?.payload),
  };
}

export function fromOf(message: Message | undefined): string {
  return message?.direction === "outbound" ? "task" : "owner";
}

export function messageText(message: Message | undefined): string {
  const parts = message?.content ?? [];
  return parts.map((part) => (part.type === "text" ? part.text : visibleText(part.data))).join("\n");
}

function jsonText(payload: Json | undefined): string {
  if (payload === undefined) return "";
  return typeof payload === "string" ? payload : visibleText(payload);
}

/** `field` is what the page is called, and `field`_from the input that reads on. */
export function pageReader(said: Said, field: "messages" | "events", from: string): (room: number) => Result {
  const [number = 1, character = 0] = placeIn(field, from);
  const { oldest, newest, about, textOf } = said;
  if (newest === 0) throw new Refused(`There are no ${field}`, `get_task without ${field}_from`);
  const first = Math.max(number, oldest);
  const missing = first - number;
  const texts = new Map<number, string>();
  const seenText = (each: number): string => {
    const text = texts.get(each) ?? visible(textOf(each));
    texts.set(each, text);
    return text;
  };
  return (room) => {
    const shown: Result[] = [];
    let left = room;
    let after = number === first ? character : 0;
    let next: string | undefined;
    for (let each = first; each <= newest; each++) {
      const text = seenText(each);
      const begin = isInside(text, after) ? after - 1 : after;
      left -= AROUND;
      const words = left > 0 ? headOf(text.slice(begin, begin + left), left) : "";
      const end = begin + words.length;
      if (words === "" && end < text.length) {
        next = begin === 0 ? String(each) : `${each}:${begin}`;
        break;
      }
      shown.push({ n: each, ...about(each), ...(text === "" ? {} : { text: words }) });
      left -= bytesOf(words);
      after = 0;
      if (end < text.length) next = `${each}:${end}`;
      if (next !== undefined) break;
    }
    return present({
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
    throw new Refused(`${field}_from must be a number from 1 on, or a place such as "12:980"`, "Nothing was done");
  return place.slice(1).flatMap((digits) => (digits === undefined ? [] : [Number(digits)]));
}

/** The call that reads the ones from `number` on. */
export function readFrom(field: "messages" | "events", number: number): string {
  return `get_task with ${field}_from "${number}"`;
}
