// Wait: one pending wait of a task, as a record shows it.
//
// Owns the type, and how many of many waits, or of many tasks, a record lists.

/** One pending wait of a blocked task, or the reason why a queued task cannot start. `on` says which. */
export type Wait =
  | {
      /** An answer to a request. */
      readonly on: "input";
      /** Id of the request. */
      readonly requestId: string;
    }
  | {
      /** The end of other tasks. */
      readonly on: "tasks";
      /** Ids of the tasks. For `outcomes` and `map`, some of the tasks that have not ended. */
      readonly taskIds: readonly string[];
    }
  | {
      /** The end of the children that were alive when the function returned. */
      readonly on: "children";
      /** Ids of the children. */
      readonly taskIds: readonly string[];
    }
  | {
      /** A message to the task. */
      readonly on: "message";
    }
  | {
      /** An instant. */
      readonly on: "time";
      /** The instant, in epoch milliseconds. `Number.MAX_SAFE_INTEGER` for a sleep without an end. */
      readonly untilAt: number;
    }
  | {
      /** A notice for the loop of the task. */
      readonly on: "notice";
    }
  | {
      /**
       * A parked task, `queued` or `blocked`: this manager has not registered its kind, or the kind has not answered
       * `canReattach` yet.
       */
      readonly on: "kind";
      /** Name of the kind. */
      readonly kind: string;
    }
  | {
      /** A parked task, `queued` or `blocked`: this manager has not declared its lane. */
      readonly on: "lane";
      /** Name of the lane. */
      readonly lane: string;
    }
  | {
      /** A `queued` task whose id another process of a shared store has: that process runs it. */
      readonly on: "process";
      /** Manager instance of that process. */
      readonly instanceId: string;
    }
  | {
      /** A free slot, because every other wait has ended. Also while `room()` waits for capacity of the queue. */
      readonly on: "slot";
    }
  | {
      /**
       * A `queued` task: the rate of its lane, or of its key, lets no task start yet. Computed when the record is read;
       * no event contains it.
       */
      readonly on: "rate";
      /** Earliest instant at which the next task in line may start, in epoch milliseconds. */
      readonly untilAt: number;
    };

/** The most pending waits in a record, the oldest first, and the most tasks of one wait that changes with each end. */
export const MOST_REPORTED = 100;

/**
 * The part of `all` that a record lists. Each change of the waits is an event with the list, so a list of all of them
 * would make the journal quadratic (D6).
 */
export function* reported<T>(all: Iterable<T>): Generator<T> {
  let left = MOST_REPORTED;
  for (const each of all) {
    yield each;
    if (--left === 0) return;
  }
}
