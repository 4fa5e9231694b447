// Fifo: a queue whose two ends are O(1), and from whose middle an item can be taken.
//
// An item taken from the middle leaves a hole that is passed over when its turn comes. The array is cut when half of it is behind us.

export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;
  /** Number of the first place in `#items`: a place keeps its number for ever. */
  #offset = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The number of its place, by which `removeAt` finds it. */
  push(item: T): number {
    this.#items.push(item);
    this.#size++;
    return this.#offset + this.#items.length - 1;
  }

  first(): T | undefined {
    return this.#items[this.#head];
  }

  last(): T | undefined {
    return this.#items.at(-1);
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (item !== undefined) this.removeAt(this.#offset + this.#head);
    return item;
  }

  removeAt(place: number): void {
    const items = this.#items;
    items[place - this.#offset] = undefined;
    this.#size--;
    // No hole at either end: `first` and `last` are items.
    while (this.#head < items.length && items[this.#head] === undefined) this.#head++;
    while (items.length > this.#head && items[items.length - 1] === undefined) items.pop();
    if (this.#head < 64 || this.#head * 2 < items.length) return;
    this.#items = items.slice(this.#head);
    this.#offset += this.#head;
    this.#head = 0;
  }
}
