// Slot wait: waits of a task for the manager itself, such as `room()` and `idle()`. The record of the task shows such a
// wait as one for a slot.

import type { OpenWait } from "../live/open-wait.js";
import { waiterOf } from "./ambient.js";
import { keeperOf, type Waits } from "./waits.js";

/** Waits until `arrange` resolves the wait, or `signal` withdraws it. */
export function waitForSlot(
  waits: Waits,
  signal: AbortSignal | undefined,
  arrange: (wait: OpenWait<void>) => () => void,
): Promise<void> {
  const attempt = waiterOf(undefined);
  return keeperOf(attempt, waits).open<void>(attempt, () => ({ on: "slot" }), signal, arrange);
}

/** Resolves once everything that is decided by now is stored (D1): the condition of the wait holds already. */
export function metAlready(waits: Waits, signal: AbortSignal | undefined): Promise<void> {
  return waits.answer<void>(waiterOf(undefined), () => undefined, { needs: waits.seq, signal });
}
