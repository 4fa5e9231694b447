// Memory store: a store that lasts as long as its process. Tests can close a manager and open another one on the same
// store.
//
// Keeps values as JSON texts, so that changes to values outside the store have no effect. Like the file store, it keeps
// the events since the snapshot before the newest one.

import type { ReadOptions, Stored, TaskStore } from "../core/durable/store.js";
import { EventsCompactedError, StoreLockedError, StoreUnavailableError } from "../core/task/errors.js";
import type { TaskEvent } from "../core/task/events.js";
import { throwIfAborted } from "../core/values/abort-signal.js";
import type { Json } from "../core/values/json.js";

/** Creates an empty store in memory. The store keeps its data after `close` and can be opened again. */
export function memoryStore(): TaskStore {
  return new MemoryStore();
}

class MemoryStore implements TaskStore {
  /** The JSON texts of the events. The first text is event `#first`. */
  #lines: string[] = [];
  #first = 1;
  #snapshot: { readonly text: string; readonly seq: number } | undefined;
  readonly #outputs = new Map<string, string>();
  #isOpen = false;

  async open(): Promise<Stored> {
    if (this.#isOpen) throw new StoreLockedError("in memory", "this process", process.pid);
    this.#isOpen = true;
    return this.peek();
  }

  async peek(): Promise<Stored> {
    const nextSeq = Math.max(this.#lastSeq, this.#covered) + 1;
    return this.#snapshot === undefined ? { nextSeq } : { nextSeq, snapshot: parse<Json>(this.#snapshot.text) };
  }

  get #lastSeq(): number {
    return this.#first + this.#lines.length - 1;
  }

  get #oldest(): number {
    return this.#lines.length === 0 ? Math.max(this.#first, this.#covered + 1) : this.#first;
  }

  get #covered(): number {
    return this.#snapshot?.seq ?? 0;
  }

  async append(events: readonly TaskEvent[]): Promise<void> {
    this.#mustBeOpen();
    const [first] = events;
    if (first === undefined) return;
    const lines = events.map((event) => JSON.stringify(event));
    const follows = first.seq === this.#lastSeq + 1;
    if (!follows && (first.seq > this.#covered + 1 || first.seq <= this.#lastSeq)) throw outOfOrder(first.seq);
    const stray = events.find((event, index) => event.seq !== first.seq + index);
    if (stray !== undefined) throw outOfOrder(stray.seq);
    if (!follows) {
      // The snapshot covers the events between the last one and this one.
      this.#lines = [];
      this.#first = first.seq;
    }
    for (const line of lines) this.#lines.push(line);
  }

  async *read({ from, signal }: ReadOptions = {}): AsyncGenerator<TaskEvent, void, undefined> {
    throwIfAborted(signal);
    for (let seq = from ?? this.#oldest; ; seq++) {
      if (seq < this.#oldest) throw new EventsCompactedError(seq, this.#oldest);
      const line = this.#lines[seq - this.#first];
      if (line === undefined) return;
      yield parse<TaskEvent>(line);
      throwIfAborted(signal);
    }
  }

  async compact(snapshot: Json, seq: number): Promise<void> {
    this.#mustBeOpen();
    const gone = Math.min(this.#covered, this.#lastSeq) - this.#first + 1;
    if (gone > 0) {
      this.#lines.splice(0, gone);
      this.#first += gone;
    }
    this.#snapshot = { text: JSON.stringify(snapshot), seq };
  }

  async putOutput(taskId: string, output: Json): Promise<void> {
    this.#mustBeOpen();
    this.#outputs.set(taskId, JSON.stringify(output));
  }

  async getOutput(taskId: string): Promise<Json | undefined> {
    const text = this.#outputs.get(taskId);
    return text === undefined ? undefined : parse<Json>(text);
  }

  async deleteOutputs(taskIds: readonly string[]): Promise<void> {
    this.#mustBeOpen();
    for (const taskId of taskIds) this.#outputs.delete(taskId);
  }

  #mustBeOpen(): void {
    if (!this.#isOpen) throw new StoreUnavailableError("the store in memory is not open: call open first");
  }

  async close(): Promise<void> {
    this.#isOpen = false;
  }
}

// The text is the JSON of a T.
function parse<T>(text: string): T {
  return JSON.parse(text) as T;
}

function outOfOrder(seq: number): RangeError {
  return new RangeError(`Event ${seq} does not follow the event before it: append events in order, without a gap`);
}
