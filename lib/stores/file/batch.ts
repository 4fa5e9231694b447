// Batch: how the events of one append are written, one a line, and read back.
//
// The last field of the first line says how many lines there are, `"batch":3`; the last line ends in a mark (mark.ts) over all bytes
// of the batch. So a batch is there whole or it is not; and one whose lines are all there but whose mark is not was not cut off, but broken.

import { crc32 } from "node:zlib";
import type { TaskEvent } from "../../core/task/events.js";
import { MARK_LENGTH, markOf } from "./checksum.js";
import { lean, whole } from "./compact-event.js";

/** How many characters are put together before they become bytes: one long text would be copied whole. */
const PIECE = 16 * 1024;
/** How many bytes are given at once: each write costs a way to a thread and back. */
const ROOM = 512 * 1024;
/** A character is at most three. */
const WIDEST = 3;

const LINE_END = MARK_LENGTH + 1;

/** Makes bytes of batches, one at a time. */
export class BatchEncoder {
  #bytes = Buffer.alloc(0);
  #used = 0;
  #crc = 0;

  /** What it gives is valid until it is asked for more. */
  *encode(events: readonly TaskEvent[]): Generator<Buffer, void, undefined> {
    if (this.#bytes.length === 0) this.#bytes = Buffer.allocUnsafeSlow(ROOM + LINE_END);
    this.#used = 0;
    this.#crc = 0;
    const last = events.length - 1;
    let piece = "";
    for (let index = 0; index < last; index++) {
      const line = lineOfEvent(events[index]);
      piece += index === 0 ? `${counted(line, events.length)}}\n` : `${line}\n`;
      if (piece.length < PIECE) continue;
      yield* this.#take(piece);
      piece = "";
    }
    const line = lineOfEvent(events[last]);
    yield* this.#take(piece + (last === 0 ? counted(line, 1) : line.slice(0, -1)));
    this.#used += this.#bytes.write(markOf(this.#crc), this.#used, "latin1");
    yield this.#bytes.subarray(0, this.#used);
  }

  /** Gives what there is no more room for. */
  *#take(piece: string): Generator<Buffer, void, undefined> {
    if (this.#used + piece.length * WIDEST > ROOM) {
      if (this.#used > 0) yield this.#bytes.subarray(0, this.#used);
      this.#used = 0;
      if (piece.length * WIDEST > ROOM) {
        const bytes = Buffer.from(piece);
        this.#crc = crc32(bytes, this.#crc);
        yield bytes;
        return;
      }
    }
    const begin = this.#used;
    this.#used += this.#bytes.write(piece, begin);
    this.#crc = crc32(this.#bytes.subarray(begin, this.#used), this.#crc);
  }
}

function lineOfEvent(event: TaskEvent | undefined): string {
  return event === undefined ? "" : JSON.stringify(lean(event));
}

/** A line with the count of its batch, not closed yet. */
function counted(line: string, lines: number): string {
  return `${line.slice(0, -1)}${COUNT_OPENING}${lines}`;
}

const COUNT_OPENING = ',"batch":';
const COUNT = /,"batch":([1-9]\d*)}?$/;
/** Longer than any count. */
const COUNT_LENGTH = 32;

/** How many lines its first line says the batch has; `undefined` when it does not say. `end` is that of the line, without a mark. */
export function countIn(bytes: Buffer, end: number): number | undefined {
  const count = COUNT.exec(bytes.toString("latin1", Math.max(0, end - COUNT_LENGTH), end))?.[1];
  return count === undefined ? undefined : Number(count);
}

/** A whole batch, or the header of a segment: its mark was checked. */
export interface Batch {
  readonly bytes: Buffer;
  /** Where each line ends. */
  readonly ends: readonly number[];
  /** Of its first line, from 1 on; and the byte where that begins. */
  readonly line: number;
  readonly byte: number;
  /** Of its first event. */
  readonly seq: number;
}

/** Where a line begins, counted from 0 on. */
export function beginOf(ends: readonly number[], index: number): number {
  return index === 0 ? 0 : (ends[index - 1] ?? 0) + 1;
}

/** The text of one line, counted from 0 on, as it was before the batch was made of it. */
export function lineOf({ bytes, ends }: Pick<Batch, "bytes" | "ends">, index: number): string {
  const begin = beginOf(ends, index);
  const end = ends[index] ?? bytes.length;
  let text = bytes.toString("utf8", begin, index === ends.length - 1 ? end - MARK_LENGTH : end);
  if (index === ends.length - 1) text += "}";
  return index === 0 ? `${text.slice(0, text.lastIndexOf(COUNT_OPENING))}}` : text;
}

/** The event of a line; `undefined` when it is none, or another one. */
export function readEvent(text: string, seq: number): TaskEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isEvent(value, seq) ? whole(value) : undefined;
}

/** What stands in a marked line is what errand wrote there: a type and the right `seq` are proof enough of the rest. */
function isEvent(value: unknown, seq: number): value is TaskEvent {
  if (typeof value !== "object" || value === null || !("seq" in value && "type" in value)) return false;
  return value.seq === seq && typeof value.type === "string";
}
