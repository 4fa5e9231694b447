// Held deliveries: what reports facts that the store does not have yet, in the order in which it was queued (D1).
//
// Owns the list alone: the loop says when facts are stored. One that is cancelled leaves nothing behind, so that a loop which polls while its
// store fails does not fill the memory.

import type { Delivery } from "./delivery.js";

/** One place in the list. */
export class Held {
  delivery: Delivery | undefined;
  /** The `seq` that must be stored first. */
  readonly needs: number;
  readonly #list: HeldDeliveries;

  constructor(delivery: Delivery, needs: number, list: HeldDeliveries) {
    this.delivery = delivery;
    this.needs = needs;
    this.#list = list;
  }

  /** The delivery is not held any longer. A second call changes nothing. */
  cancel(): void {
    if (this.delivery === undefined) return;
    this.delivery = undefined;
    this.#list.cancelled();
  }
}

/** So few cancelled places are not worth a new list. */
const FEW = 1_000;

export class HeldDeliveries {
  #places: Held[] = [];
  #cancelled = 0;

  add(delivery: Delivery, needs: number): Held {
    const held = new Held(delivery, needs, this);
    this.#places.push(held);
    return held;
  }

  /** Takes out those before the first that needs more than `seq`. */
  take(seq: number): Delivery[] {
    const first = this.#places.findIndex(({ needs }) => needs > seq);
    return this.#taken(first < 0 ? this.#places.length : first);
  }

  takeAll(): Delivery[] {
    return this.#taken(this.#places.length);
  }

  #taken(count: number): Delivery[] {
    const taken: Delivery[] = [];
    for (const held of this.#places.splice(0, count)) {
      if (held.delivery === undefined) this.#cancelled--;
      else taken.push(held.delivery);
      held.delivery = undefined;
    }
    return taken;
  }

  /** For a place alone. */
  cancelled(): void {
    this.#cancelled++;
    if (this.#cancelled <= FEW || this.#cancelled * 2 <= this.#places.length) return;
    this.#places = this.#places.filter(({ delivery }) => delivery !== undefined);
    this.#cancelled = 0;
  }
}
