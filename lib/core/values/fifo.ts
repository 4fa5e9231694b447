// Fifo: a queue that adds and removes at its ends, and removes from its middle, at O(1).
//
// An item that is removed from the middle leaves a hole, which is passed over later. Each item knows its place. The
// array is cut when less than half of it is items, so it holds at most twice the items of the queue.

/** An item that knows its place in a queue. */
export interface Placed {
  /** Index of the item in its queue; −1 when it stands in none. */
  place: number;
}

/** Items in order of arrival. */
export class Fifo<T extends Placed> {
  #items: (T | undefined)[] = [];
  #head = 0;
  #size = 0;

  /** Number of items. */
  get size(): number {
    return this.#size;
  }

  /** The oldest item. */
  first(): T | undefined {
    return this.#items[this.#head];
  }

  /** The newest item. */
  last(): T | undefined {
    return this.#items.at(-1);
  }

  /** Adds an item that stands in no queue. */
  push(item: T): void {
    item.place = this.#items.length;
    this.#items.push(item);
    this.#size++;
  }

  /** Removes the oldest item and returns it. */
  shift(): T | undefined {
    const item = this.first();
    if (item !== undefined) this.remove(item);
    return item;
  }

  /** Yields the items, first to last. The queue must not change meanwhile. */
  *inOrder(): Generator<T> {
    for (let at = this.#head; at < this.#items.length; at++) {
      const item = this.#items[at];
      if (item !== undefined) yield item;
    }
  }

  /** Removes `item`, which stands in this queue. */
  remove(item: T): void {
    const items = this.#items;
    items[item.place] = undefined;
    item.place = -1;
    this.#size--;
    // Both ends are items, never holes.
    while (this.#head < items.length && items[this.#head] === undefined) this.#head++;
    while (items.length > this.#head && items[items.length - 1] === undefined) items.pop();
    if (items.length >= 64 && this.#size * 2 < items.length) this.#cut();
  }

  /** Removes the holes, at O(1) an item: at least as many items have left since the last time as stay. */
  #cut(): void {
    const items: T[] = [];
    for (let at = this.#head; at < this.#items.length; at++) {
      const item = this.#items[at];
      if (item === undefined) continue;
      item.place = items.length;
      items.push(item);
    }
    this.#items = items;
    this.#head = 0;
  }
}
