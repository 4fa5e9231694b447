// The ring: a queue, however often it wraps round and grows.

import { array, constant, assert as holds, nat, oneof, property } from "fast-check";
import { expect, test } from "vitest";
import { Ring } from "../../../lib/core/values/ring.js";

test("gives the items in order of arrival, and nothing when it is empty", () => {
  const step = oneof(
    nat(200).map((pushes) => ({ pushes })),
    constant({ pushes: 0 }),
    nat(200).map((shifts) => ({ shifts })),
  );
  holds(
    property(array(step, { maxLength: 40 }), (steps) => {
      const ring = new Ring<number>();
      const model: number[] = [];
      let next = 0;
      for (const each of steps) {
        if ("pushes" in each) {
          for (let pushed = 0; pushed < each.pushes; pushed++) {
            ring.push(next);
            model.push(next++);
          }
        } else for (let shifted = 0; shifted < each.shifts; shifted++) expect(ring.shift()).toBe(model.shift());
        expect(ring.size).toBe(model.length);
      }
      while (model.length > 0) expect(ring.shift()).toBe(model.shift());
      expect(ring.shift()).toBeUndefined();
    }),
  );
});

test("goes on after it was very long", () => {
  const ring = new Ring<number>();
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 100_000; n++) ring.push(n);
    for (let n = 0; n < 100_000; n++) if (ring.shift() !== n) throw new Error(`${n} is out of order`);
    expect(ring.size).toBe(0);
  }
});
