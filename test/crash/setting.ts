// Setting: what the process that is killed and the one that checks it both know: which kinds there are, and how much is kept.

import { type AnyTaskKind, defineKind, type Retention, type TaskContext } from "errand";

/** Ended tasks that are kept: few, so that eviction and compaction go on all the time. */
export const RETENTION = { maxFinished: 40 } as const satisfies Retention;

export const SESSIONS = ["chat-1", "chat-2", "chat-3"] as const;

/** Of a kind, what decides whether it goes on after a restart. */
export interface GoesOn {
  readonly maxAttempts?: number;
  readonly canReattach?: (attempt: number) => boolean;
}

export type KindName = "crawl" | "leaf" | "asker" | "picky" | "twice" | "once";

export const KINDS: Readonly<Record<KindName, GoesOn>> = {
  /** Goes on where its checkpoint says, and has children. */
  crawl: { canReattach: () => true },
  leaf: { canReattach: () => true },
  /** Asks with a key, and asks again. */
  asker: { canReattach: () => true },
  picky: { canReattach: (attempt) => attempt < 3 },
  twice: { canReattach: () => true, maxAttempts: 2 },
  once: {},
};

/** What is passed to each. */
export interface Input {
  readonly pages: number;
}

export type Run = (ctx: TaskContext, input: Input) => unknown;

export function kindsThat(runOf: (name: KindName) => Run): readonly AnyTaskKind[] {
  return Object.entries(KINDS).map(([name, { canReattach, maxAttempts }]) =>
    defineKind({
      name,
      run: runOf(name as KindName),
      ...(canReattach === undefined ? {} : { canReattach: (record) => canReattach(record.attempt) }),
      ...(maxAttempts === undefined ? {} : { retry: { maxAttempts } }),
    }),
  );
}
