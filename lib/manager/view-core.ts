// View core: a core that runs nothing, into which a journal is replayed for reading.
//
// Owns only the options of that core. The core has no store and no kinds, its clock is never used, and nothing of it is
// stored.

import { Core } from "../core/core.js";

/** A core without kinds that keeps every record. */
export function viewCore(): Core {
  return new Core({
    concurrency: 1,
    lanes: {},
    limits: {},
    retention: { maxFinished: Number.POSITIVE_INFINITY, ttlMs: Number.POSITIVE_INFINITY },
    clock: undefined,
    ids: undefined,
    logger: undefined,
    graceMs: 0,
    isAmbient: false,
    agingMs: 0,
    kinds: [],
    call: () => undefined,
    onIdle: () => undefined,
  });
}
