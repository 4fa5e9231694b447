// A store whose commits are let through by hand: what waits for it can be seen to wait, and made to fail.

import { EventsCompactedError, type Json, type ReadOptions, type Stored, type TaskEvent, type TaskStore } from "errand";

interface Commit {
  readonly events: readonly TaskEvent[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What it keeps is JSON text, as on a disk. */
export class HeldStore implements TaskStore {
  /** Event `#first`, and those after it. */
  #lines: string[] = [];
  #first = 1;
  #snapshot: { readonly text: string; readonly seq: number } | undefined;
  readonly #outputs = new Map<string, string>();
  #commits: Commit[] = [];
  /** Commits pass at once. */
  isOpen = true;
  /** What every write fails with. */
  failure: Error | undefined;
  /** What `close` fails with. */
  closeFailure: Error | undefined;
  /** What was asked of it, in order: `append 1-3`, `compact 3`, `put a`, `delete a`, `close`. */
  readonly calls: string[] = [];

  get appends(): number {
    return this.#count("append");
  }
  get compactions(): number {
    return this.#count("compact");
  }
  get closes(): number {
    return this.#count("close");
  }
  #count(what: string): number {
    return this.calls.filter((call) => call.split(" ")[0] === what).length;
  }

  get held(): readonly TaskEvent[] {
    return this.#commits.flatMap(({ events }) => events);
  }
  get kept(): readonly TaskEvent[] {
    return this.#lines.map((line): TaskEvent => JSON.parse(line));
  }
  /** Types of the kept events of one task. */
  typesOf(taskId: string): readonly string[] {
    return this.kept.filter((event) => event.taskId === taskId).map(({ type }) => type);
  }
  get outputIds(): readonly string[] {
    return [...this.#outputs.keys()];
  }

  /** From now on commits wait for `release`. */
  hold(): void {
    this.isOpen = false;
  }

  /** The events are kept, and whoever waits is told; what is committed next waits again. */
  release(): void {
    for (const { events, resolve } of this.#commits.splice(0)) {
      this.#keep(events);
      resolve();
    }
  }

  /** Whatever waits, and whatever comes, passes. */
  letThrough(): void {
    this.isOpen = true;
    this.release();
  }

  /** What waits is refused; what is committed next waits again. */
  fail(error: Error): void {
    for (const { reject } of this.#commits.splice(0)) reject(error);
  }

  #keep(events: readonly TaskEvent[]): void {
    const lines = events.map((event) => JSON.stringify(event));
    const [first] = events;
    if (first === undefined) return;
    const next = this.#first + this.#lines.length;
    const isCovered = this.#snapshot !== undefined && first.seq <= this.#snapshot.seq + 1 && first.seq > next;
    if (first.seq !== next && !isCovered) throw new RangeError(`Event ${first.seq} does not follow on ${next - 1}`);
    if (isCovered) {
      // The snapshot stands for what is left out.
      this.#lines = [];
      this.#first = first.seq;
    }
    this.#lines.push(...lines);
  }

  async open(): Promise<Stored> {
    return this.peek();
  }

  async peek(): Promise<Stored> {
    const nextSeq = Math.max(this.#first + this.#lines.length, (this.#snapshot?.seq ?? 0) + 1);
    return this.#snapshot === undefined ? { nextSeq } : { nextSeq, snapshot: JSON.parse(this.#snapshot.text) };
  }

  async append(events: readonly TaskEvent[]): Promise<void> {
    this.calls.push(`append ${events[0]?.seq}-${events.at(-1)?.seq}`);
    if (this.failure !== undefined) throw this.failure;
    if (this.isOpen) return this.#keep(events);
    await new Promise<void>((resolve, reject) => this.#commits.push({ events, resolve, reject }));
  }

  async *read({ from = this.#first, signal }: ReadOptions = {}): AsyncGenerator<TaskEvent> {
    for (let seq = from; ; seq++) {
      signal?.throwIfAborted();
      if (seq < this.#first) throw new EventsCompactedError(seq, this.#first);
      const line = this.#lines[seq - this.#first];
      if (line === undefined) return;
      yield JSON.parse(line);
    }
  }

  async compact(snapshot: Json, seq: number): Promise<void> {
    this.calls.push(`compact ${seq}`);
    if (this.failure !== undefined) throw this.failure;
    this.#snapshot = { text: JSON.stringify(snapshot), seq };
    const next = this.#first + this.#lines.length;
    if (seq + 1 < this.#first) return;
    this.#lines.splice(0, seq - this.#first + 1);
    this.#first = Math.min(seq + 1, next);
  }

  async putOutput(taskId: string, output: Json): Promise<void> {
    this.calls.push(`put ${taskId}`);
    if (this.failure !== undefined) throw this.failure;
    this.#outputs.set(taskId, JSON.stringify(output));
  }
  async getOutput(taskId: string): Promise<Json | undefined> {
    const text = this.#outputs.get(taskId);
    return text === undefined ? undefined : JSON.parse(text);
  }
  async deleteOutputs(taskIds: readonly string[]): Promise<void> {
    for (const id of taskIds) {
      this.calls.push(`delete ${id}`);
      this.#outputs.delete(id);
    }
  }

  async close(): Promise<void> {
    this.calls.push("close");
    if (this.closeFailure !== undefined) throw this.closeFailure;
  }

  /** What is left after kill -9: what was not let through is lost. */
  crash(): HeldStore {
    const after = new HeldStore();
    after.#lines = [...this.#lines];
    after.#first = this.#first;
    after.#snapshot = this.#snapshot;
    for (const [id, text] of this.#outputs) after.#outputs.set(id, text);
    return after;
  }

  /** As a disk that was taken away and put back empty: the next append needs a snapshot first. */
  wipe(): void {
    this.#lines = [];
    this.#first = 1;
    this.#snapshot = undefined;
    this.#outputs.clear();
  }
}
