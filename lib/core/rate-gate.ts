// Rate gate: at most so many first starts of a lane in any period (L7).
//
// p-queue counts: each token is one empty job under its `intervalCap`, asked for one at a time. Owns no task and holds no slot:
// a token that nobody is there to use lapses, so no period ever sees more than its limit.

import PQueue from "p-queue";

export interface Rate {
  limit: number;
  periodMs: number;
}

export class RateGate {
  readonly #queue: PQueue;
  #asked = false;
  #open = false;

  constructor(rate: Rate) {
    this.#queue = new PQueue({ concurrency: 1, intervalCap: rate.limit, interval: rate.periodMs, strict: true });
  }

  /** A token is here: the next start may take it. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** `onToken` is called once, when a token has come; asking again meanwhile changes nothing. */
  ask(onToken: () => void): void {
    if (this.#asked || this.#open) return;
    this.#asked = true;
    void this.#queue.add(() => {
      this.#asked = false;
      this.#open = true;
      onToken();
      this.#open = false;
    });
  }

  /** A start took the token. */
  take(): void {
    this.#open = false;
  }
}
