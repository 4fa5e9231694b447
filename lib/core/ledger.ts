// Ledger: what each named session has used, of all its tasks, whether their records are still kept or not (§8).

import type { Usage, UsageReport } from "./record.js";
import type { Task } from "./task.js";

const NOTHING: Usage = Object.freeze({ inputTokens: 0, outputTokens: 0, costUsd: 0, tasks: 0 });

export class Ledger {
  readonly #sessions = new Map<string, Usage>();

  of(sessionId: string): Usage {
    return this.#sessions.get(sessionId) ?? NOTHING;
  }

  /** A task was made. */
  count(task: Task): void {
    this.#put(task, { tasks: 1 });
  }

  add(task: Task, report: UsageReport): void {
    this.#put(task, report);
  }

  #put(task: Task, more: UsageReport & { readonly tasks?: number }): void {
    const { sessionId } = task.state.spec;
    if (sessionId === undefined) return;
    const { inputTokens, outputTokens, costUsd, tasks } = this.of(sessionId);
    const sum = {
      inputTokens: inputTokens + (more.inputTokens ?? 0),
      outputTokens: outputTokens + (more.outputTokens ?? 0),
      costUsd: costUsd + (more.costUsd ?? 0),
      tasks: tasks + (more.tasks ?? 0),
    };
    this.#sessions.set(sessionId, Object.freeze(sum));
  }
}
