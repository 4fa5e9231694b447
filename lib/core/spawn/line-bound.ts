// Line bound: whether a start finds a place in the bounded line of the manager and of its session (L6).
//
// Owns the rule and no state: the slots count the line, the account of a session its own part. Called by the spawner.

import type { Lane } from "../lanes/lane.js";
import type { Slots } from "../lanes/slots.js";
import type { SessionAccount } from "../live/session-account.js";
import type { Run } from "../live/task.js";
import { type LimitExceededError, QueueFullError } from "../task/errors.js";
import type { Weight } from "../task/record.js";
import { queueRefusal } from "./session-bounds.js";

/**
 * Why a start finds no place in line. `undefined`: it finds one, or gets a slot at once and needs none. The owner is
 * the session, which has an account once it has tasks or bounds, or the program.
 */
export function lineRefusal(
  slots: Slots<Run>,
  maxQueued: number,
  sessionId: string | undefined,
  account: SessionAccount | undefined,
  lane: Lane<Run>,
  laneKey?: string,
  weight?: Weight,
): QueueFullError | LimitExceededError | undefined {
  const hasPlace = slots.queued < maxQueued;
  if (hasPlace && account?.bounds.maxQueued === undefined) return undefined;
  if (slots.isStartable(lane, { laneKey, weight, isResume: false })) return undefined;
  const refusal = account === undefined ? undefined : queueRefusal(account);
  if (refusal !== undefined) return refusal;
  // One owner cannot fill the line for the others: each owner without a task in line gets a place, up to `maxQueued`
  // more places in total.
  const queued = sessionId !== undefined && account === undefined ? 0 : slots.queuedOf(account);
  const isOthers = queued === 0 && slots.queued < 2 * maxQueued;
  return hasPlace || isOthers ? undefined : new QueueFullError(maxQueued);
}
