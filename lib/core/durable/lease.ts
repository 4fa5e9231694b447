// Lease: of a store that several processes share, the journal of this one is kept, and those that nobody has are taken over.
//
// Gives a sign of life three times in each lease, and looks for free journals as often; a pass takes a few at most, one at a time,
// and what goes wrong in one is told and tried again in the next. Owns the timer. Its time is the manager's clock; whether a lease has lapsed
// is judged by the store alone.

import { isErrandError, type StoreLockedError } from "../task/errors.js";
import { Alarm, type Timekeeper } from "../time/clock.js";
import type { OtherJournal, SeizedJournal, SharedJournals } from "./store.js";

interface LeaseDeps {
  readonly shared: SharedJournals;
  readonly clock: Timekeeper;
  /** Whether a free one has anything for this manager. */
  readonly isWanted: (journal: OtherJournal) => Promise<boolean>;
  /** Its tasks become this manager's. Rejects when they could not be stored; asked again with the same journal then. */
  readonly takeOver: (journal: SeizedJournal) => Promise<void>;
  readonly onFailed: (error: unknown) => void;
  /** Another has the journal of this process, which can store nothing any more. */
  readonly onLost: (error: StoreLockedError) => void;
}

const SIGNS_A_LEASE = 3;
const TAKEN_A_PASS = 4;

export class Lease {
  readonly #deps: LeaseDeps;
  readonly #everyMs: number;
  /** Seized, and not taken over yet. */
  #seized: SeizedJournal[] = [];
  #alarm: Alarm | undefined;
  #isKept = false;
  /** Free journals are taken over by now. */
  #takes = false;
  #isPassing = false;
  #isClosed = false;

  constructor(deps: LeaseDeps) {
    this.#deps = deps;
    this.#everyMs = deps.shared.leaseMs / SIGNS_A_LEASE;
  }

  /** Signs of life alone, from now on: reading a long journal, or asking kinds, may take longer than a lease. */
  async keep(): Promise<void> {
    this.#isKept = true;
    await this.#beat();
    this.#wait();
  }

  /** One pass now, and then again and again. Resolves when the first one is over. */
  async begin(): Promise<void> {
    const isAlive = this.#isKept ? !this.#isClosed : await this.#beat();
    this.#takes = true;
    if (isAlive) await this.#pass();
    if (!this.#isKept) this.#wait();
    this.#isKept = true;
  }

  close(): void {
    this.#isClosed = true;
    this.#alarm?.cancel();
  }

  #wait(): void {
    if (this.#isClosed) return;
    this.#alarm = new Alarm(this.#deps.clock, this.#everyMs, () => {
      void this.#beat().then((isAlive) => {
        if (isAlive && this.#takes) void this.#pass();
        this.#wait();
      });
    }).unref();
  }

  /** Never rejects. Whether the journal of this process is still its own. */
  async #beat(): Promise<boolean> {
    try {
      await this.#deps.shared.heartbeat();
      return !this.#isClosed;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  /** Never rejects. One at a time: signs of life go on meanwhile. */
  async #pass(): Promise<void> {
    if (this.#isPassing) return;
    this.#isPassing = true;
    try {
      await this.#seizeFree();
      await this.#takeOverSeized();
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#isPassing = false;
    }
  }

  #failed(error: unknown): void {
    const { onFailed, onLost } = this.#deps;
    if (!isErrandError(error, "STORE_LOCKED")) onFailed(error);
    else if (!this.#isClosed) {
      this.close();
      onLost(error);
    }
  }

  async #seizeFree(): Promise<void> {
    const { shared } = this.#deps;
    const isSeized = (name: string) => this.#seized.some((journal) => journal.name === name);
    const free = (await shared.others()).filter(({ name, isFree }) => isFree && !isSeized(name));
    for (const journal of free) {
      if (this.#isClosed || this.#seized.length >= TAKEN_A_PASS) return;
      const seized = (await this.#isWanted(journal)) ? await shared.seize(journal.name) : undefined;
      if (seized !== undefined) this.#seized.push(seized);
    }
  }

  /** D2: a journal that is broken keeps its own tasks, and none of another. */
  async #isWanted(journal: OtherJournal): Promise<boolean> {
    try {
      return await this.#deps.isWanted(journal);
    } catch (error) {
      if (!isErrandError(error, "JOURNAL_CORRUPT")) throw error;
      this.#failed(error);
      return false;
    }
  }

  async #takeOverSeized(): Promise<void> {
    for (let next = this.#seized[0]; next !== undefined && !this.#isClosed; next = this.#seized[0]) {
      await this.#deps.takeOver(next);
      this.#seized.shift();
    }
  }
}
