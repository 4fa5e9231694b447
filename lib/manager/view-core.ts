// View core: a core that runs nothing, into which a journal is replayed to be read.
//
// Owns its options alone. It has no store, no kinds and no clock that matters, and nothing of it is stored.

import { Core } from "../core/core.js";

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
  });
}
