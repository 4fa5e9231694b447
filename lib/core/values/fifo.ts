// Fifo: a queue whose two ends are O(1), and from whose middle an item can be taken.
//
// An item taken from the middle leaves a hole that is passed over when its turn comes. Each item knows its place, so the array is cut
// when half of it is behind us or holes, and holds no more than twice what stands in the queue.

export interface Placed {
  /** Where it stands in its queue; −1 when in none. */
  place: number;
}

export class Fifo<T extends Placed> {
  #items: (T | undefined)[] = [];
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  first(): T | undefined {
    return this.#items[this.#head];
  }

  last(): T | undefined {
    return this.#items.at(-1);
  }

  push(item: T): void {
    item.place = this.#items.length;
    this.#items.push(item);
    this.#size++;
  }

  shift(): T | undefined {
    const item = this.first();
    if (item !== undefined) this.remove(item);
    return item;
  }

  /** First to last. The queue must not change meanwhile. */
  *inOrder(): Generator<T> {
    for (let at = this.#head; at < this.#items.length; at++) {
      const item = this.#items[at];
      if (item !== undefined) yield item;
    }
  }

  /** `item` stands in this queue. */
  remove(item: T): void {
    const items = this.#items;
    items[item.place] = undefined;
    item.place = -1;
    this.#size--;
    // No hole at either end: `first` and `last` are items.
    while (this.#head < items.length && items[this.#head] === undefined) this.#head++;
    while (items.length > this.#head && items[items.length - 1] === undefined) items.pop();
    if (items.length >= 64 && this.#size * 2 < items.length) this.#cut();
  }

  /** O(1) an item: as many have left since the last time as stay. */
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
