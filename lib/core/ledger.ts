// Ledger: what each named session has used, of all its tasks, whether their records are still kept or not (§8).
//
// One sum a session, for as long as the manager lives.

import type { Usage, UsageReport } from "./record.js";
import type { Task } from "./task.js";
import { NOTHING_SPENT, plus } from "./usage.js";

const NOTHING: Usage = Object.freeze({ ...NOTHING_SPENT, tasks: 0 });

export class Ledger {
  readonly #sessions = new Map<string, Usage>();

  of(sessionId: string): Usage {
    return this.#sessions.get(sessionId) ?? NOTHING;
  }

  get all(): ReadonlyMap<string, Usage> {
    return this.#sessions;
  }

  /** What was used in another process, too. */
  restore(sessions: { readonly [id: string]: Usage }): void {
    for (const [id, usage] of Object.entries(sessions)) {
      const sum = this.of(id);
      this.#sessions.set(id, Object.freeze({ ...plus(sum, usage), tasks: sum.tasks + usage.tasks }));
    }
  }

  /** A task was made. */
  count(task: Task): void {
    this.#put(task, {}, 1);
  }

  add(task: Task, report: UsageReport): void {
    this.#put(task, report, 0);
  }

  #put(task: Task, report: UsageReport, made: number): void {
    const { sessionId } = task;
    if (sessionId === undefined) return;
    const sum = this.of(sessionId);
    this.#sessions.set(sessionId, Object.freeze({ ...plus(sum, report), tasks: sum.tasks + made }));
  }
}
