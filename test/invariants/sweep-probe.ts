// Sweep probe: what a run shows only from the inside: each delivery of the loop, every task, every wait.
//
// A step is one delivery, of any manager: what comes between two of them is where a listener's code runs. The probe looks on and
// changes nothing: deliveries keep their order, waits their promises. One probe at a time; `end` puts everything back.

import { inspect } from "node:util";
import type { Attempt, Run, Task } from "../../lib/core/live/task.js";
import { Loop } from "../../lib/core/loop.js";
import type { Pending } from "../../lib/core/waits/pending-wait.js";
import { Waits } from "../../lib/core/waits/waits.js";

export interface Probe {
  /** Every task that was made, by creation. */
  readonly tasks: readonly Task[];
  /** What each of them lived with, also after its end. */
  readonly runs: ReadonlyMap<Task, Run>;
  /** Abandoned functions that have begun a wait: frozen there for ever (C3). */
  readonly frozen: ReadonlySet<Attempt>;
  /** Waits that began and have not settled, by what they wait for. */
  readonly pendingWaits: () => readonly string[];
  readonly end: () => void;
}

export function probe(onStep: () => void): Probe {
  const tasks: Task[] = [];
  const runs = new Map<Task, Run>();
  const frozen = new Set<Attempt>();
  const waits: { readonly promise: Promise<unknown>; readonly wait: Pending }[] = [];
  const put = [
    wrap(
      Loop.prototype,
      "deliver",
      (deliver) =>
        function (this: Loop, delivery) {
          const own = Object.getOwnPropertyDescriptor(delivery, "deliver");
          const perform = delivery.deliver.bind(delivery);
          // In its place once: a delivery that is queued again is another step.
          delivery.deliver = () => {
            if (own === undefined) Reflect.deleteProperty(delivery, "deliver");
            else Object.defineProperty(delivery, "deliver", own);
            perform();
            onStep();
          };
          deliver.call(this, delivery);
        },
    ),
    wrap(
      Loop.prototype,
      "created",
      (created) =>
        function (this: Loop, task) {
          tasks.push(task);
          if (task.run !== undefined) runs.set(task, task.run);
          created.call(this, task);
        },
    ),
    wrap(
      Waits.prototype,
      "refusal",
      (refusal) =>
        function (this: Waits, attempt, signal) {
          if (attempt?.phase === "abandoned") frozen.add(attempt);
          return refusal.call(this, attempt, signal);
        },
    ),
    wrap(
      Waits.prototype,
      "begin",
      (begin) =>
        function (this: Waits, wait, signal) {
          if ("promise" in wait && wait.promise instanceof Promise) waits.push({ promise: wait.promise, wait });
          begin.call(this, wait, signal);
        },
    ),
  ];

  return {
    tasks,
    runs,
    frozen,
    pendingWaits: () => waits.filter(({ promise }) => isPending(promise)).map(({ wait }) => told(wait)),
    end: () => put.forEach((putBack) => putBack()),
  };
}

/** Puts a method around another, until what it returns is called. */
function wrap<O extends object, K extends keyof O>(prototype: O, method: K, around: (inner: O[K]) => O[K]): () => void {
  const inner = prototype[method];
  prototype[method] = around(inner);
  return () => {
    prototype[method] = inner;
  };
}

function told(wait: Pending): string {
  return `${wait.attempt?.task.id ?? "nobody"} on ${inspect(wait.describe())}`;
}

/** Looked at from outside: a `then` would make a rejection that nobody handles look handled (C5). */
function isPending(promise: Promise<unknown>): boolean {
  return inspect(promise, { depth: 0 }).startsWith("Promise { <pending>");
}
