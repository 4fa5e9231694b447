// Held deliveries: deliveries that report facts which the store does not have yet (D1), in the order in which they were
// queued.
//
// Most deliveries need the newest fact of their time, so the list is in the order of the `seq` that they need. A start
// needs only the fact of its spawn (L9): a delivery that needs less than the one before it stands in a second list, so
// that it waits for no later commit. A cancelled delivery leaves nothing behind, so a loop that polls while its store
// fails does not fill the memory. Owns the lists only: the loop says when facts are stored.

import type { Delivery } from "./delivery.js";

/** One place in the list. */
export class Held {
  /** The delivery. `undefined`: it was taken or cancelled. */
  delivery: Delivery | undefined;
  /** The `seq` that must be stored first. */
  readonly needs: number;
  /** Place in the order of queueing. */
  readonly order: number;
  readonly #list: HeldDeliveries;

  constructor(delivery: Delivery, needs: number, order: number, list: HeldDeliveries) {
    this.delivery = delivery;
    this.needs = needs;
    this.order = order;
    this.#list = list;
  }

  /** Removes the delivery. A second call has no effect. */
  cancel(): void {
    if (this.delivery === undefined) return;
    this.delivery = undefined;
    this.#list.cancelled();
  }
}

/** Number of cancelled places up to which the lists are not rebuilt. */
const FEW = 1_000;

/** The held deliveries of one loop. */
export class HeldDeliveries {
  /** Deliveries in the order of the `seq` that they need. */
  #places: Held[] = [];
  /** Deliveries that need less than the one before them. */
  #apart: Held[] = [];
  #cancelled = 0;
  #added = 0;

  /** Holds `delivery` until the event `needs` is stored. */
  add(delivery: Delivery, needs: number): Held {
    const held = new Held(delivery, needs, ++this.#added, this);
    const last = this.#places.at(-1);
    if (last !== undefined && needs < last.needs) this.#apart.push(held);
    else this.#places.push(held);
    return held;
  }

  /** Removes and returns the deliveries that need no more than `seq`. */
  take(seq: number): Delivery[] {
    const first = this.#places.findIndex(({ needs }) => needs > seq);
    const taken = this.#places.splice(0, first < 0 ? this.#places.length : first);
    if (this.#apart.length > 0) {
      for (const held of this.#apart) if (held.needs <= seq) taken.push(held);
      this.#apart = this.#apart.filter(({ needs }) => needs > seq);
      taken.sort((a, b) => a.order - b.order);
    }
    return this.#deliveriesOf(taken);
  }

  /** Removes and returns all deliveries. */
  takeAll(): Delivery[] {
    return this.take(Number.POSITIVE_INFINITY);
  }

  #deliveriesOf(taken: readonly Held[]): Delivery[] {
    const deliveries: Delivery[] = [];
    for (const held of taken) {
      if (held.delivery === undefined) this.#cancelled--;
      else deliveries.push(held.delivery);
      held.delivery = undefined;
    }
    return deliveries;
  }

  /** Counts a cancelled place. Only the place calls it. */
  cancelled(): void {
    this.#cancelled++;
    if (this.#cancelled <= FEW || this.#cancelled * 2 <= this.#places.length + this.#apart.length) return;
    this.#places = this.#places.filter(isWanted);
    this.#apart = this.#apart.filter(isWanted);
    this.#cancelled = 0;
  }
}

function isWanted({ delivery }: Held): boolean {
  return delivery !== undefined;
}
