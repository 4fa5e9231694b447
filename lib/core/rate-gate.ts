// Rate gate: at most so many first starts of a lane in any period (L7).
//
// p-queue counts: a token is one empty job under its `intervalCap`, asked for one at a time. Owns no task and holds no slot. A token
// that comes while no slot is free waits for one; used late, it is paid for again at the time of its use, so that no period, seen
// from any start, has more starts than its limit. Real time: p-queue's window follows no injected clock.

import PQueue from "p-queue";

export interface Rate {
  limit: number;
  periodMs: number;
}

export class RateGate {
  readonly #queue: PQueue;
  #isAsked = false;
  #tokenAt: number | undefined;

  constructor(rate: Rate) {
    this.#queue = new PQueue({ concurrency: 1, intervalCap: rate.limit, interval: rate.periodMs, strict: true });
  }

  /** A token is here: the next start may take it. */
  get isOpen(): boolean {
    return this.#tokenAt !== undefined;
  }

  /** Asks for a token, unless one is here or asked for. It may come in this call; `onToken` is called when it comes later. */
  ask(onToken: () => void): void {
    if (this.#isAsked || this.isOpen) return;
    this.#isAsked = true;
    let isLater = false;
    void this.#queue.add(() => {
      this.#isAsked = false;
      this.#tokenAt = Date.now();
      if (isLater) onToken();
    });
    isLater = true;
  }

  /** A start took the token. */
  take(): void {
    const isLate = this.#tokenAt !== undefined && this.#tokenAt < Date.now();
    this.#tokenAt = undefined;
    if (isLate) void this.#queue.add(() => {});
  }
}
