// Batch: writes the events of one append as lines, one event per line, and reads them back.
//
// The last field of the first line is the number of lines, `"batch":3`. The last line ends with a checksum of all bytes
// of the batch (checksum.ts). So a batch is either whole or not there. If all lines of a batch are there but its
// checksum is not, the batch is broken, not cut off.

import { crc32 } from "node:zlib";
import type { TaskEvent } from "../../core/task/events.js";
import { CHECKSUM_LENGTH, checksumField } from "./checksum.js";
import { compact, expand } from "./compact-event.js";

/** The number of characters that are joined before they are encoded. One long text would be copied as a whole. */
const PIECE_CHARACTERS = 16 * 1024;
/** The number of bytes that `encode` yields at once. Each write goes to another thread and back. */
const CHUNK_BYTES = 512 * 1024;
/** The largest number of bytes for one UTF-16 code unit in UTF-8. */
const MAX_BYTES_PER_UNIT = 3;

const LINE_END = CHECKSUM_LENGTH + 1;

/** Encodes batches as bytes, one batch at a time. The encoder reuses its buffer. */
export class BatchEncoder {
  #bytes = Buffer.alloc(0);
  #used = 0;
  #crc = 0;

  /** The checksum of the batch that was encoded last. */
  get crc(): number {
    return this.#crc;
  }

  /** Yields the bytes of the batch in order. A yielded buffer is valid until the next step of the generator. */
  *encode(events: readonly TaskEvent[]): Generator<Buffer, void, undefined> {
    if (this.#bytes.length === 0) this.#bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES + LINE_END);
    this.#used = 0;
    this.#crc = 0;
    const last = events.length - 1;
    let piece = "";
    for (let index = 0; index < last; index++) {
      const line = lineOfEvent(events[index]);
      piece += index === 0 ? `${withCount(line, events.length)}}\n` : `${line}\n`;
      if (piece.length < PIECE_CHARACTERS) continue;
      yield* this.#push(piece);
      piece = "";
    }
    const line = lineOfEvent(events[last]);
    yield* this.#push(piece + (last === 0 ? withCount(line, 1) : line.slice(0, -1)));
    this.#used += this.#bytes.write(checksumField(this.#crc), this.#used, "latin1");
    yield this.#bytes.subarray(0, this.#used);
  }

  /** Adds `piece` to the buffer. Yields the buffer first if `piece` does not fit in it. */
  *#push(piece: string): Generator<Buffer, void, undefined> {
    if (this.#used + piece.length * MAX_BYTES_PER_UNIT > CHUNK_BYTES) {
      if (this.#used > 0) yield this.#bytes.subarray(0, this.#used);
      this.#used = 0;
      if (piece.length * MAX_BYTES_PER_UNIT > CHUNK_BYTES) {
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
  return event === undefined ? "" : JSON.stringify(compact(event));
}

/** Adds the number of lines to the first line of a batch. The object of the line stays open. */
function withCount(line: string, lines: number): string {
  return `${line.slice(0, -1)}${COUNT_OPENING}${lines}`;
}

const COUNT_OPENING = ',"batch":';
const COUNT = /,"batch":([1-9]\d*)}?$/;
/** An upper limit for the length of the field with the count. */
const COUNT_LENGTH = 32;

/**
 * Reads the number of lines from the first line of a batch; `undefined` if the line has no such number. `end` is the
 * end of the line without a checksum.
 */
export function countIn(bytes: Buffer, end: number): number | undefined {
  const count = COUNT.exec(bytes.toString("latin1", Math.max(0, end - COUNT_LENGTH), end))?.[1];
  return count === undefined ? undefined : Number(count);
}

/**
 * A batch of lines, or the header of a segment. `SegmentScan.next` returns one only if its checksum is right.
 */
export interface Batch {
  /** The bytes of all lines, with the line feed of the last one. */
  readonly bytes: Buffer;
  /** The offset of each line's end. */
  readonly ends: readonly number[];
  /** The number of the first line in the file, from 1 on. */
  readonly line: number;
  /** The offset of the first line in the file, from 0 on. */
  readonly byte: number;
  /** The `seq` of the first event. */
  readonly seq: number;
}

/** Returns the offset at which line `index` begins; `index` counts from 0. */
export function beginOf(ends: readonly number[], index: number): number {
  return index === 0 ? 0 : (ends[index - 1] ?? 0) + 1;
}

/** Returns the text of line `index` (from 0 on) as a JSON object, without the count and the checksum of the batch. */
export function lineOf({ bytes, ends }: Pick<Batch, "bytes" | "ends">, index: number): string {
  const begin = beginOf(ends, index);
  const end = ends[index] ?? bytes.length;
  let text = bytes.toString("utf8", begin, index === ends.length - 1 ? end - CHECKSUM_LENGTH : end);
  if (index === ends.length - 1) text += "}";
  return index === 0 ? `${text.slice(0, text.lastIndexOf(COUNT_OPENING))}}` : text;
}

/** The number of lines that are decoded at once. Decoding each line apart costs more, and so does one long text. */
const LINES_AT_ONCE = 64;

/**
 * Reads the events of a batch from line `first` on, in lists. `broken` of a list is the index of a line that is not the
 * expected event: the list has the events before it, and is the last one.
 */
export function* eventsIn(batch: Batch, first: number): Generator<EventList, void, undefined> {
  const { ends, seq } = batch;
  for (let begin = first; begin < ends.length; begin += LINES_AT_ONCE) {
    const events: TaskEvent[] = [];
    for (const text of linesOf(batch, begin, Math.min(begin + LINES_AT_ONCE, ends.length))) {
      const index = begin + events.length;
      const event = readEvent(text, seq + index);
      if (event === undefined) {
        yield { events, broken: index };
        return;
      }
      events.push(event);
    }
    yield { events, broken: undefined };
  }
}

/** Events of one batch. */
interface EventList {
  readonly events: readonly TaskEvent[];
  readonly broken: number | undefined;
}

/** The texts of the lines from `begin` to the one before `end`, as `lineOf` returns them. */
function linesOf(batch: Batch, begin: number, end: number): string[] {
  const { bytes, ends } = batch;
  const lines = bytes.toString("utf8", beginOf(ends, begin), ends[end - 1]).split("\n");
  if (begin === 0) lines[0] = lineOf(batch, 0);
  if (end === ends.length) lines[lines.length - 1] = lineOf(batch, end - 1);
  return lines;
}

/** Parses a line as the event `seq`; `undefined` if the line is another event, or is not an event. */
export function readEvent(text: string, seq: number): TaskEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isEvent(value, seq) ? expand(value) : undefined;
}

// The checksum of the line is right, so errand wrote the line. A `type` and the right `seq` are enough to check.
function isEvent(value: unknown, seq: number): value is TaskEvent {
  if (typeof value !== "object" || value === null || !("seq" in value && "type" in value)) return false;
  return value.seq === seq && typeof value.type === "string";
}
