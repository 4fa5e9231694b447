// Heap: a priority queue from which anything can be taken out.
//
// Each item knows its place, so leaving from the middle is O(log n) (L5). Equal ranks keep their order of arrival.

import type { Placed } from "./fifo.js";

export interface Ranked extends Placed {
  /** Smaller goes first. */
  rank: number;
  /** Of arrival: breaks ties. */
  order: number;
}

/** Where an item stands in a heap that is read in order. */
interface Seat extends Ranked {
  readonly at: number;
}

export class Heap<S extends Ranked> {
  readonly #items: S[] = [];

  get size(): number {
    return this.#items.length;
  }

  first(): S | undefined {
    return this.#items[0];
  }

  has(item: S): boolean {
    return this.#items[item.place] === item;
  }

  /** Smallest first, O(log n) a step, and nothing is taken out. The heap must not change meanwhile. */
  *inOrder(): Generator<S> {
    if (this.#items.length === 0) return;
    // Items that are next after one that was given: each stands above all that it keeps back.
    const next = new Heap<Seat>();
    const seat = (at: number): void => {
      const item = this.#items[at];
      if (item !== undefined) next.add({ rank: item.rank, order: item.order, place: -1, at });
    };
    seat(0);
    for (let first = next.first(); first !== undefined; first = next.first()) {
      next.remove(first);
      const item = this.#items[first.at];
      if (item !== undefined) yield item;
      seat(2 * first.at + 1);
      seat(2 * first.at + 2);
    }
  }

  add(item: S): void {
    this.#items.push(item);
    this.#rise(item, this.#items.length - 1);
  }

  /** `item` stands in this heap. */
  remove(item: S): void {
    const last = this.#items.pop();
    if (last !== undefined && last !== item) {
      this.#rise(last, item.place);
      this.#sink(last, last.place);
    }
    item.place = -1;
  }

  #rise(item: S, from: number): void {
    const items = this.#items;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = items[above];
      if (parent === undefined || !isBefore(item, parent)) break;
      items[at] = parent;
      parent.place = at;
      at = above;
    }
    items[at] = item;
    item.place = at;
  }

  #sink(item: S, from: number): void {
    const items = this.#items;
    const size = items.length;
    let at = from;
    for (;;) {
      let below = 2 * at + 1;
      let child = items[below];
      if (child === undefined) break;
      const other = below + 1 < size ? items[below + 1] : undefined;
      if (other !== undefined && isBefore(other, child)) {
        child = other;
        below++;
      }
      if (!isBefore(child, item)) break;
      items[at] = child;
      child.place = at;
      at = below;
    }
    items[at] = item;
    item.place = at;
  }
}

export function isBefore(a: Ranked, b: Ranked): boolean {
  return a.rank < b.rank || (a.rank === b.rank && a.order < b.order);
}
