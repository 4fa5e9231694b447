// Heap: a priority queue from which any item can be removed.
//
// Each item knows its place, so a removal from the middle is O(log n) (L5). Equal ranks keep their order of arrival.

import type { Placed } from "./fifo.js";

/** An item with a rank. */
export interface Ranked extends Placed {
  /** Smaller goes first. */
  rank: number;
  /** Order of arrival, for equal ranks. */
  order: number;
}

/** The index of an item in a heap that is read in order. */
interface Seat extends Ranked {
  readonly at: number;
}

/** Items by rank. */
export class Heap<S extends Ranked> {
  readonly #items: S[] = [];

  /** Number of items. */
  get size(): number {
    return this.#items.length;
  }

  /** The item of the smallest rank. */
  first(): S | undefined {
    return this.#items[0];
  }

  /** Whether `item` stands in this heap. */
  has(item: S): boolean {
    return this.#items[item.place] === item;
  }

  /** Yields the items, smallest first, at O(log n) each, and removes none. The heap must not change meanwhile. */
  *inOrder(): Generator<S> {
    if (this.#items.length === 0) return;
    // The items that may be next: each child of an item that was yielded.
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

  /** Adds an item that stands in no heap. */
  add(item: S): void {
    this.#items.push(item);
    this.#rise(item, this.#items.length - 1);
  }

  /** Removes `item`, which stands in this heap. */
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

/** Whether `a` goes before `b`. */
export function isBefore(a: Ranked, b: Ranked): boolean {
  return a.rank < b.rank || (a.rank === b.rank && a.order < b.order);
}
