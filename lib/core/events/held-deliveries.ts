// Held deliveries: what reports facts that the store does not have yet (D1), delivered in the order in which it was queued.
//
// Most need the newest fact of their time, so the places stand in the order of what they need. A start needs the fact of its spawn alone (L9): one
// that needs less than the place before it stands apart, so that it waits for no later commit. A delivery that is cancelled leaves nothing behind, so
// that a loop which polls while its store fails does not fill the memory. Owns the lists alone: the loop says when facts are stored.

import type { Delivery } from "./delivery.js";

/** One place in the list. */
export class Held {
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
  /** Deliveries in the order of what they need. */
  #places: Held[] = [];
  /** Deliveries that need less than one before them. */
  #apart: Held[] = [];
  #cancelled = 0;
  #added = 0;

  add(delivery: Delivery, needs: number): Held {
    const held = new Held(delivery, needs, ++this.#added, this);
    const last = this.#places.at(-1);
    if (last !== undefined && needs < last.needs) this.#apart.push(held);
    else this.#places.push(held);
    return held;
  }

  /** Takes out those that need no more than `seq`. */
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

  /** Called by a place alone. */
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
