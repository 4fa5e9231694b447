// Session usage: the account of each named session: its usage (§8), its living and waiting tasks, and its bounds (L6).
//
// Owns the accounts. An account is made with the first task of its session, or with its bounds, and outlives the
// records of the tasks. An account without kept tasks is forgotten after `ttlMs`, so an unused session costs nothing
// (D6). Written by the consequences and the budget guard.

import type { Usage, UsageReport } from "../task/record.js";
import { plus } from "../task/usage.js";
import { Alarm, type Timekeeper } from "../time/clock.js";
import { Fifo } from "../values/fifo.js";
import { NOTHING_USED, SessionAccount } from "./session-account.js";
import type { Task } from "./task.js";

/** The part of a session that a snapshot keeps. */
export interface StoredSession extends Usage {
  /** The instant since which no record of the session is kept, in epoch milliseconds. */
  readonly idleSince?: number;
}

/** The accounts of one manager. */
export class SessionUsage {
  readonly #accounts = new Map<string, SessionAccount>();
  /** Accounts without kept tasks, the longest idle first. */
  readonly #idle = new Fifo<SessionAccount>();
  readonly #clock: Timekeeper;
  readonly #ttlMs: number;
  /** Forgets the session elsewhere; returns `false` when a part of it is still needed. */
  readonly #forget: (sessionId: string) => boolean;
  #sweep: Alarm | undefined;

  constructor(clock: Timekeeper, ttlMs: number, forget: (sessionId: string) => boolean) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
    this.#forget = forget;
  }

  /** The usage of a session. */
  of(sessionId: string): Usage {
    return this.#accounts.get(sessionId)?.usage ?? NOTHING_USED;
  }

  /** The account of a session; `undefined` when it has no tasks and no bounds. */
  find(sessionId: string | undefined): SessionAccount | undefined {
    return sessionId === undefined ? undefined : this.#accounts.get(sessionId);
  }

  /** The account of a session, made when first needed. The idle time of an account without kept tasks starts anew. */
  use(sessionId: string): SessionAccount {
    const account = this.#open(sessionId);
    if (account.kept === 0) this.#rest(account, this.#clock.now());
    return account;
  }

  #open(sessionId: string): SessionAccount {
    const known = this.#accounts.get(sessionId);
    if (known !== undefined) return known;
    const account = new SessionAccount(sessionId);
    this.#accounts.set(sessionId, account);
    return account;
  }

  /** The accounts, for a snapshot. */
  get all(): { readonly [sessionId: string]: StoredSession } {
    const all = Array.from(this.#accounts.values(), ({ id, usage, kept, idleSince }) => {
      const stored: StoredSession = kept > 0 ? usage : { ...usage, idleSince };
      return [id, stored] as const;
    });
    return Object.fromEntries(all);
  }

  /** Restores the accounts of a snapshot: usage of earlier processes counts too. */
  restore(sessions: { readonly [id: string]: StoredSession }): void {
    const now = this.#clock.now();
    const byAge = Object.entries(sessions).toSorted(([, a], [, b]) => (a.idleSince ?? now) - (b.idleSince ?? now));
    for (const [id, { idleSince = now, ...usage }] of byAge) {
      const account = this.#open(id);
      const { usage: sum } = account;
      account.usage = Object.freeze({ ...plus(sum, usage), tasks: sum.tasks + usage.tasks });
      if (account.kept === 0) this.#rest(account, idleSince);
    }
  }

  /** The record of `task` is kept from now on. */
  spawned(task: Task): void {
    const { sessionId } = task;
    if (sessionId === undefined) return;
    const account = this.#open(sessionId);
    if (account.place >= 0) this.#idle.remove(account);
    task.account = account;
    account.kept++;
    if (!task.isOver) account.living++;
  }

  /** A task of the account has ended. */
  ended({ account }: Task): void {
    if (account !== undefined) account.living--;
  }

  /** The record of `task` is evicted. */
  forgot({ account, isOver }: Task): void {
    if (account === undefined) return;
    account.kept--;
    if (!isOver) account.living--;
    if (account.kept === 0) this.#rest(account, this.#clock.now());
  }

  /** Counts a new task. */
  count({ account }: Task): void {
    if (account !== undefined) account.usage = Object.freeze({ ...account.usage, tasks: account.usage.tasks + 1 });
  }

  /** Adds a usage report. */
  add({ account }: Task, report: UsageReport): void {
    if (account !== undefined)
      account.usage = Object.freeze({ ...plus(account.usage, report), tasks: account.usage.tasks });
  }

  /** The manager closes: stops the timer. */
  close(): void {
    this.#sweep?.cancel();
  }

  // ── forgetting ───────────────────────────────────────────────────────────

  #rest(account: SessionAccount, since: number): void {
    if (account.place >= 0) this.#idle.remove(account);
    account.idleAt = this.#clock.monotonic();
    account.idleSince = since;
    this.#idle.push(account);
    if (this.#sweep === undefined) this.#sweepLater(account);
  }

  /**
   * Milliseconds until the account may be forgotten. The larger of the measured time and the wall-clock time counts
   * (C7): the machine may have slept, or another process may have begun the time.
   */
  #leftOf({ idleAt, idleSince }: SessionAccount): number {
    return this.#ttlMs - Math.max(this.#clock.monotonic() - idleAt, this.#clock.now() - idleSince);
  }

  #sweepLater(account: SessionAccount): void {
    const left = Math.max(0, this.#leftOf(account));
    this.#sweep = Alarm.within(this.#clock, left, account.idleSince + this.#ttlMs, this.#sweepIdle).unref();
  }

  readonly #sweepIdle = (): void => {
    this.#sweep = undefined;
    // Accounts that are still needed become idle anew, behind the others.
    for (let left = this.#idle.size; left > 0; left--) {
      const account = this.#idle.first();
      if (account === undefined) return;
      if (this.#leftOf(account) > 0) return this.#sweepLater(account);
      this.#idle.remove(account);
      if (this.#forget(account.id)) this.#accounts.delete(account.id);
      else this.#rest(account, this.#clock.now());
    }
  };
}
