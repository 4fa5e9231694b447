// Rank queue: the smallest rank first, ties in order of arrival; anything can be taken out of the middle (L5).
//
// Nearly all arrive in order of their rank, because time is in it: they stand in a Fifo, O(1) each. Whoever is before the last of
// them (a priority, a resume) stands in a heap. Who is first is the better of the two first ones.

import { Fifo } from "../values/fifo.js";
import { Heap, isBefore, type Ranked } from "../values/heap.js";

export class RankQueue<S extends Ranked> {
  readonly #inOrder = new Fifo<S>();
  readonly #others = new Heap<S>();

  get size(): number {
    return this.#inOrder.size + this.#others.size;
  }

  first(): S | undefined {
    const inOrder = this.#inOrder.first();
    const other = this.#others.first();
    if (inOrder === undefined || other === undefined) return inOrder ?? other;
    return isBefore(other, inOrder) ? other : inOrder;
  }

  /** Smallest first. The queue must not change meanwhile. */
  *inOrder(): Generator<S> {
    const others = this.#others.inOrder();
    let other = others.next();
    for (const item of this.#inOrder.inOrder()) {
      for (; !other.done && isBefore(other.value, item); other = others.next()) yield other.value;
      yield item;
    }
    for (; !other.done; other = others.next()) yield other.value;
  }

  add(item: S): void {
    const last = this.#inOrder.last();
    if (last !== undefined && isBefore(item, last)) this.#others.add(item);
    else this.#inOrder.push(item);
  }

  /** `item` stands in this queue. */
  remove(item: S): void {
    if (this.#others.has(item)) this.#others.remove(item);
    else this.#inOrder.remove(item);
  }
}
