// A store whose commits are let through by hand: what waits for it can be seen to wait, and made to fail.

import { EventsCompactedError, type Json, type Runtime, type Stored, type TaskEvent, type TaskStore } from "errand";

interface Commit {
  readonly events: readonly TaskEvent[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What it keeps is JSON text, as on a disk. */
export class HeldStore implements TaskStore {
  readonly #lines: string[] = [];
  #first = 1;
  #snapshot: { readonly text: string; readonly seq: number } | undefined;
  readonly #outputs = new Map<string, string>();
  readonly #commits: Commit[] = [];
  /** Commits pass at once. */
  isOpen = true;
  /** What every call fails with. */
  failure: Error | undefined;
  appends = 0;
  compactions = 0;
  closes = 0;

  get held(): readonly TaskEvent[] {
    return this.#commits.flatMap(({ events }) => events);
  }
  get kept(): readonly TaskEvent[] {
    return this.#lines.map((line): TaskEvent => JSON.parse(line));
  }
  get outputIds(): readonly string[] {
    return [...this.#outputs.keys()];
  }

  /** The events are kept, and whoever waits is told; what is committed next waits again. */
  release(): void {
    for (const { events, resolve } of this.#commits.splice(0)) {
      this.#keep(events);
      resolve();
    }
  }

  fail(error: Error): void {
    for (const { reject } of this.#commits.splice(0)) reject(error);
  }

  #keep(events: readonly TaskEvent[]): void {
    for (const event of events) this.#lines.push(JSON.stringify(event));
  }

  async open(_writer: Runtime): Promise<Stored> {
    return this.peek();
  }

  async peek(): Promise<Stored> {
    const nextSeq = Math.max(this.#first + this.#lines.length, (this.#snapshot?.seq ?? 0) + 1);
    return this.#snapshot === undefined ? { nextSeq } : { nextSeq, snapshot: JSON.parse(this.#snapshot.text) };
  }

  async append(events: readonly TaskEvent[]): Promise<void> {
    this.appends++;
    if (this.failure !== undefined) throw this.failure;
    if (this.isOpen) return this.#keep(events);
    await new Promise<void>((resolve, reject) => this.#commits.push({ events, resolve, reject }));
  }

  async *read({ from = this.#first }: { from?: number | undefined } = {}): AsyncGenerator<TaskEvent> {
    if (from < this.#first) throw new EventsCompactedError(from, this.#first);
    for (let seq = from; seq < this.#first + this.#lines.length; seq++) {
      yield JSON.parse(this.#lines[seq - this.#first] ?? "");
    }
  }

  async compact(snapshot: Json, seq: number): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.compactions++;
    this.#snapshot = { text: JSON.stringify(snapshot), seq };
    this.#lines.splice(0, seq - this.#first + 1);
    this.#first = seq + 1;
  }

  async putOutput(taskId: string, output: Json): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.#outputs.set(taskId, JSON.stringify(output));
  }
  async getOutput(taskId: string): Promise<Json | undefined> {
    const text = this.#outputs.get(taskId);
    return text === undefined ? undefined : JSON.parse(text);
  }
  async deleteOutputs(taskIds: readonly string[]): Promise<void> {
    for (const id of taskIds) this.#outputs.delete(id);
  }

  async close(): Promise<void> {
    this.closes++;
  }

  /** As after kill -9: what was not let through is lost. */
  crash(): HeldStore {
    const after = new HeldStore();
    after.#lines.push(...this.#lines);
    after.#first = this.#first;
    after.#snapshot = this.#snapshot;
    for (const [id, text] of this.#outputs) after.#outputs.set(id, text);
    return after;
  }
}
