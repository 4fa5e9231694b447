// Lease: keeps the journal of this process in a store that several processes share, and takes over free journals (§11).
//
// Renews the lease three times in its duration, and looks for free journals as often. One pass takes a few at most, one
// at a time; a failure is reported, and the next pass tries again. Owns the timer, on the clock of the manager. Only
// the store judges whether a lease has lapsed.

import { isErrandError, type StoreLockedError } from "../task/errors.js";
import { Alarm, type Timekeeper } from "../time/clock.js";
import type { OtherJournal, SeizedJournal, SharedJournals } from "./store.js";

interface LeaseDeps {
  readonly shared: SharedJournals;
  readonly clock: Timekeeper;
  /** Whether a free journal has any task for this manager. */
  readonly isWanted: (journal: OtherJournal) => Promise<boolean>;
  /**
   * Moves the tasks of a journal to this manager. Rejects when they could not be stored; it is then called again with
   * the same journal.
   */
  readonly takeOver: (journal: SeizedJournal) => Promise<void>;
  readonly onFailed: (error: unknown) => void;
  /** Another process has the journal of this process, which can store nothing more. */
  readonly onLost: (error: StoreLockedError) => void;
}

const SIGNS_A_LEASE = 3;
const TAKEN_A_PASS = 4;

/** The lease of one manager. */
export class Lease {
  readonly #deps: LeaseDeps;
  readonly #everyMs: number;
  /** Journals that are seized and not taken over yet. */
  #seized: SeizedJournal[] = [];
  #alarm: Alarm | undefined;
  #isKept = false;
  /** Whether passes take over free journals. */
  #takes = false;
  #isPassing = false;
  #isClosed = false;

  constructor(deps: LeaseDeps) {
    this.#deps = deps;
    this.#everyMs = deps.shared.leaseMs / SIGNS_A_LEASE;
  }

  /**
   * Begins to renew the lease, without taking over journals: reading a long journal, or asking kinds, may take longer
   * than a lease.
   */
  async keep(): Promise<void> {
    this.#isKept = true;
    await this.#beat();
    this.#wait();
  }

  /** Makes a pass now, and one after each renewal. Resolves when the first pass has ended. */
  async begin(): Promise<void> {
    const isAlive = this.#isKept ? !this.#isClosed : await this.#beat();
    this.#takes = true;
    if (isAlive) await this.#pass();
    if (!this.#isKept) this.#wait();
    this.#isKept = true;
  }

  /** Ends renewals and passes. */
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

  /** Renews the lease. Returns whether the journal still belongs to this process. Never rejects. */
  async #beat(): Promise<boolean> {
    try {
      await this.#deps.shared.heartbeat();
      return !this.#isClosed;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  /** Takes over free journals, one pass at a time, while renewals continue. Never rejects. */
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

  /** Whether the journal is wanted. A broken journal is reported, keeps its tasks, and holds up no other (D2). */
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
