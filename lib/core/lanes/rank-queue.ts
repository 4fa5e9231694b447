// Rank queue: the smallest rank first, ties in order of arrival; any item can be removed (L5).
//
// Most items arrive in order of their rank, because ranks grow with time: they stand in a Fifo, at O(1) each. An item
// that goes before the last of them (a priority, a resume) stands in a heap. The first item is the better of the two
// first ones.

import { Fifo } from "../values/fifo.js";
import { Heap, isBefore, type Ranked } from "../values/heap.js";

/** Items by rank. */
export class RankQueue<S extends Ranked> {
  readonly #inOrder = new Fifo<S>();
  readonly #others = new Heap<S>();

  /** Number of items. */
  get size(): number {
    return this.#inOrder.size + this.#others.size;
  }

  /** The item of the smallest rank. */
  first(): S | undefined {
    const inOrder = this.#inOrder.first();
    const other = this.#others.first();
    if (inOrder === undefined || other === undefined) return inOrder ?? other;
    return isBefore(other, inOrder) ? other : inOrder;
  }

  /** Yields the items, smallest first. The queue must not change meanwhile. */
  *inOrder(): Generator<S> {
    const others = this.#others.inOrder();
    let other = others.next();
    for (const item of this.#inOrder.inOrder()) {
      for (; !other.done && isBefore(other.value, item); other = others.next()) yield other.value;
      yield item;
    }
    for (; !other.done; other = others.next()) yield other.value;
  }

  /** Adds an item that stands in no queue. */
  add(item: S): void {
    const last = this.#inOrder.last();
    if (last !== undefined && isBefore(item, last)) this.#others.add(item);
    else this.#inOrder.push(item);
  }

  /** Removes `item`, which stands in this queue. */
  remove(item: S): void {
    if (this.#others.has(item)) this.#others.remove(item);
    else this.#inOrder.remove(item);
  }
}
