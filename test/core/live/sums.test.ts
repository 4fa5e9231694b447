// Sums of a tree, against the same sums made the slow way; and how much work they are (§8).

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addSpent, addTask, addUpSums, Sums } from "../../../lib/core/live/sums.js";

class Node {
  readonly parent: Node | undefined;
  readonly root: Node;
  readonly depth: number;
  readonly family = new Sums();
  touched = 0;

  constructor(parent: Node | undefined) {
    this.parent = parent;
    this.root = parent?.root ?? this;
    this.depth = parent === undefined ? 0 : parent.depth + 1;
    if (parent !== undefined) addTask(parent);
  }
  touch(): void {
    this.touched++;
  }
}

/** From it up to the root. */
function* upFrom(node: Node): Generator<Node> {
  for (let each: Node | undefined = node; each !== undefined; each = each.parent) yield each;
}

describe("§8 the sums of a tree", () => {
  test("are right whenever they are read, whatever was spawned and used in between", () => {
    const step = fc.record({ what: fc.constantFrom("spawn", "use", "read"), at: fc.nat(), tokens: fc.nat(100) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const nodes = [new Node(undefined)];
        const slow = new Map<Node, { below: number; tokens: number }>([[nodes[0] as Node, { below: 0, tokens: 0 }]]);
        for (const { what, at, tokens } of steps) {
          const node = nodes[at % nodes.length] as Node;
          if (what === "spawn") {
            const made = new Node(node);
            nodes.push(made);
            slow.set(made, { below: 0, tokens: 0 });
            for (const each of upFrom(node)) (slow.get(each) as { below: number }).below++;
          } else if (what === "use") {
            addSpent(node, { inputTokens: tokens });
            for (const each of upFrom(node)) (slow.get(each) as { tokens: number }).tokens += tokens;
          } else {
            addUpSums(node);
            for (const each of nodes)
              expect({ below: each.family.tasksBelow, tokens: each.family.spent.inputTokens }).toEqual(slow.get(each));
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test("of a chain are added up once, when they are read, and not at each spawn and each report", () => {
    let deepest = new Node(undefined);
    const chain = [deepest];
    for (let n = 0; n < 1_000; n++) {
      deepest = new Node(deepest);
      chain.push(deepest);
      addSpent(deepest, { inputTokens: 1 });
    }
    addUpSums(deepest);
    expect(chain[0]?.family).toMatchObject({ tasksBelow: 1_000, spent: { inputTokens: 1_000 } });
    // By its child, by its own report, and by what its child owed.
    expect(Math.max(...chain.map(({ touched }) => touched))).toBeLessThanOrEqual(3);
  });
});
