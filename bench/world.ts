// World: whether a process uses `AsyncLocalStorage`, as ambient lineage does.
//
// On Node 20 and 22 its first use makes every promise of the process dearer for good, also those of the peers.

export const worlds = ["without AsyncLocalStorage", "with AsyncLocalStorage"] as const;
export type World = (typeof worlds)[number];
/** errand as a user gets it has ambient lineage. */
export const usualWorld: World = "with AsyncLocalStorage";
