// Rate gate: at most so many first starts of a lane in any period (L7).
//
// p-queue counts: a token is one empty job under its `intervalCap`, asked for one at a time, and only while somebody wants to start with
// it. Owns no task and holds no slot. A token that comes while no slot is free waits for one; used late, it is paid for again, so that
// no period, seen from any start, has more starts than its limit. Real time: p-queue's window follows no injected clock.

import PQueue from "p-queue";

/** At most `limit` starts in any `periodMs`. */
export interface Rate {
  /** An integer ≥ 1. */
  limit: number;
  /** Milliseconds, 1 to 2^31−1. */
  periodMs: number;
}

export class RateGate {
  readonly #queue: PQueue;
  readonly #periodMs: number;
  #asking: AbortController | undefined;
  #tokenAt: number | undefined;
  #takenAt: number | undefined;
  /** When tokens were used late that are not paid for again yet. */
  #owedAt: number[] = [];

  constructor({ limit, periodMs }: Rate) {
    this.#periodMs = periodMs;
    this.#queue = new PQueue({ concurrency: 1, intervalCap: limit, interval: periodMs, strict: true });
  }

  /** A token is here: the next start may take it. */
  get isOpen(): boolean {
    return this.#tokenAt !== undefined;
  }

  /** Asks for a token, unless one is here or asked for. It may come in this call; `onToken` is called when it comes later. */
  ask(onToken: () => void): void {
    if (this.isOpen || this.#asking !== undefined) return;
    const { signal } = (this.#asking = new AbortController());
    const now = Date.now();
    this.#owedAt = this.#owedAt.filter((at) => now - at < this.#periodMs);
    for (let owed = this.#owedAt.length; owed > 0; owed--) this.#add(() => this.#owedAt.shift(), signal);
    let isLater = false;
    this.#add(() => {
      this.#asking = undefined;
      this.#tokenAt = Date.now();
      if (isLater) onToken();
    }, signal);
    isLater = true;
  }

  /** Nobody can start now: what was asked for is not, and no timer stays. */
  rest(): void {
    this.#asking?.abort();
    this.#asking = undefined;
  }

  /** A start took the token. */
  take(): void {
    const now = Date.now();
    if (this.#tokenAt !== undefined && this.#tokenAt < now) this.#owedAt.push(now);
    this.#takenAt = this.#tokenAt;
    this.#tokenAt = undefined;
  }

  /** The start that took the last token does not happen. One token is kept, as ever. */
  giveBack(): void {
    this.#tokenAt ??= this.#takenAt;
    this.#takenAt = undefined;
  }

  #add(job: () => void, signal: AbortSignal): void {
    // It rejects when it is not asked for any more, and with nothing else.
    this.#queue.add(job, { signal }).catch(() => {});
  }
}
