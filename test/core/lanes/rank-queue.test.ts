// The queues of a lane, each against a sorted array that does the same the slow way.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RankQueue } from "../../../lib/core/lanes/rank-queue.js";
import { Fifo } from "../../../lib/core/values/fifo.js";
import { Heap } from "../../../lib/core/values/heap.js";

interface Item {
  rank: number;
  order: number;
  place: number;
  isInHeap: boolean;
}

interface Queue {
  readonly size: number;
  first(): Item | undefined;
  inOrder(): Iterable<Item>;
  add(item: Item): void;
  remove(item: Item): void;
}

/** One step: someone comes, the first goes, or whoever stands at place `leave` goes from the middle. */
type Step = { readonly add: number } | "take" | { readonly leave: number };

/** Come more often than they go, so that the queue gets long. */
const steps = (rank: fc.Arbitrary<number>): fc.Arbitrary<readonly Step[]> =>
  fc.array(
    fc.oneof(
      { weight: 4, arbitrary: rank.map((add): Step => ({ add })) },
      { weight: 1, arbitrary: fc.constant<Step>("take") },
      { weight: 2, arbitrary: fc.nat().map((leave): Step => ({ leave })) },
    ),
    { maxLength: 400, size: "max" },
  );

/** As `expect`, for a million times. */
function agree(said: readonly unknown[], wanted: readonly unknown[]): void {
  if (said.some((value, index) => value !== wanted[index])) expect(said).toEqual(wanted);
}

function follows(queue: Queue, lived: readonly Step[]): void {
  const model: Item[] = [];
  let arrived = 0;
  const check = (): void => agree([queue.size, queue.first()], [model.length, model[0]]);
  const remove = (item: Item | undefined): void => {
    if (item === undefined) return;
    queue.remove(item);
    model.splice(model.indexOf(item), 1);
  };
  for (const step of lived) {
    if (step === "take") remove(queue.first());
    else if ("leave" in step) remove(model[step.leave % Math.max(1, model.length)]);
    else {
      const item: Item = { rank: step.add, order: ++arrived, place: -1, isInHeap: false };
      queue.add(item);
      model.push(item);
      model.sort((a, b) => a.rank - b.rank || a.order - b.order);
    }
    check();
  }
  // Read in order, it gives all of them and loses none.
  expect([...queue.inOrder()]).toEqual(model);
  while (model.length > 0) {
    remove(queue.first());
    check();
  }
}

describe("a queue by rank", () => {
  const ranks = {
    any: fc.integer(),
    "few, so that most are ties": fc.integer({ min: 0, max: 3 }),
    "of both signs, infinite too": fc.constantFrom(-Infinity, -1.5, 0, 0.25, 7, Infinity),
  };

  for (const [name, rank] of Object.entries(ranks)) {
    test(`L4 a Heap gives the smallest first, ties in order of arrival: ranks ${name}`, () => {
      fc.assert(fc.property(steps(rank), (lived) => follows(new Heap<Item>(), lived)));
    });
    test(`L4 a RankQueue gives the smallest first, ties in order of arrival: ranks ${name}`, () => {
      fc.assert(fc.property(steps(rank), (lived) => follows(new RankQueue<Item>(), lived)));
    });
  }

  test("L4 a RankQueue gives the smallest first when time is in the rank: most in order, some before", () => {
    const early = fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 50 }));
    const inTime = steps(early).map((lived) =>
      lived.map((step, now): Step => (typeof step === "object" && "add" in step ? { add: now - step.add } : step)),
    );
    fc.assert(fc.property(inTime, (lived) => follows(new RankQueue<Item>(), lived)));
  });

  test("L5 an entry that has left a RankQueue stands nowhere", () => {
    const queue = new RankQueue<Item>();
    const items = [3, 1, 2].map((rank, order): Item => ({ rank, order, place: -1, isInHeap: false }));
    for (const item of items) queue.add(item);
    for (const item of items) queue.remove(item);
    expect(items.map(({ place }) => place)).toEqual([-1, -1, -1]);
  });
});

describe("a Fifo", () => {
  const items = (count: number) => Array.from({ length: count }, (_, value) => ({ value, place: -1 }));

  test("L5 keeps the order of arrival, whichever entry leaves from the middle", () => {
    fc.assert(
      fc.property(steps(fc.nat()), (lived) => {
        const queue = new Fifo<{ readonly value: number; place: number }>();
        const model: { readonly value: number; place: number }[] = [];
        for (const step of lived) {
          if (step === "take") agree([queue.shift()], [model.shift()]);
          else if ("leave" in step) {
            const [left] = model.splice(step.leave % Math.max(1, model.length), 1);
            if (left !== undefined) queue.remove(left);
          } else {
            const item = { value: step.add, place: -1 };
            model.push(item);
            queue.push(item);
          }
          agree([queue.size, queue.first(), queue.last()], [model.length, model[0], model.at(-1)]);
        }
        for (const item of model) agree([queue.shift()], [item]);
        agree([queue.shift(), queue.size], [undefined, 0]);
      }),
    );
  });

  test("finds each one after it has cut off what is behind", () => {
    const queue = new Fifo<{ readonly value: number; place: number }>();
    const all = items(1_000);
    for (const item of all) queue.push(item);
    for (const item of all.slice(0, 900)) expect(queue.shift()).toBe(item);
    for (const item of all.slice(901, 999)) queue.remove(item);
    expect([queue.size, queue.first(), queue.last()]).toEqual([2, all[900], all[999]]);
    expect([queue.shift(), queue.shift(), queue.shift()]).toEqual([all[900], all[999], undefined]);
  });

  test("keeps no holes behind one that stays", () => {
    const queue = new Fifo<{ readonly value: number; place: number }>();
    const [stays, ...passing] = items(100_000);
    if (stays === undefined) throw new Error("no entry stays");
    queue.push(stays);
    // A crowd at first: however long the queue was, it gets short again.
    const crowd = items(200);
    for (const item of crowd) queue.push(item);
    for (const item of crowd.slice(0, -1)) queue.remove(item);
    let widest = 0;
    for (const [index, item] of passing.entries()) {
      queue.push(item);
      widest = Math.max(widest, item.place);
      const before = passing[index - 1];
      if (before !== undefined) queue.remove(before);
    }
    expect([queue.size, queue.first()]).toEqual([3, stays]);
    expect(widest).toBeLessThan(128);
  });
});
