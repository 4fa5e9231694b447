// Shared stores: several managers on one database, none of which loses its journal because the machine is slow.
//
// The database judges leases by its own clock, which a test cannot move. So a lease lasts longer here than any test, and
// a test ends the lease of each process that is to be dead. Managers make their passes often all the same.

import { setTimeout as pause } from "node:timers/promises";
import { TaskManager, type TaskStore } from "errand";
import { type SqlConnection, type SqlStoreOptions, sqlStore } from "errand/stores/sql";
import { overriding } from "./overriding.js";
import type { SqlPlace } from "./sql-place.js";

/** A lease in milliseconds that lasts longer than any test. */
export const LEASE_MS = 600_000;
/** The interval between two passes of a manager, in which it renews its lease and looks for free journals. */
export const PASS_MS = 100;

/** A manager of this process, or of another one. */
export type Writer = { readonly runtime: { readonly instanceId: string } };

export type SharedOptions = Omit<Parameters<typeof TaskManager.open>[0], "store">;

export interface SharedStores {
  /** Returns another store on the same database; default on a connection of its own. */
  readonly store: (connection?: SqlConnection) => TaskStore;
  /** Opens a manager on another store. */
  readonly open: (options?: SharedOptions) => Promise<TaskManager>;
  /** Ends the lease of this manager, as if no heartbeat had come for a long time. */
  readonly lapses: (manager: Writer) => Promise<void>;
  /**
   * The manager gives no more signs of life: resolves once another process has its journal. What it still stores renews
   * its lease, which then ends again.
   */
  readonly dies: (manager: Writer) => Promise<void>;
}

/** Stores on an empty database, whose managers make a pass every `passMs`. */
export function sharedStores(place: SqlPlace, passMs = PASS_MS): SharedStores {
  const store = (connection?: SqlConnection) => passing(sqlStore(settingsOf(place, connection)), passMs);
  const lapses = async (manager: Writer) => {
    if (!(await hasLapsed(place, manager))) throw new Error("the manager has no journal");
  };
  return {
    store,
    open: (options = {}) => TaskManager.open({ ...options, store: store() }),
    lapses,
    async dies(manager) {
      await lapses(manager);
      while (await hasLapsed(place, manager)) await pause(5);
    },
  };
}

function settingsOf(place: SqlPlace, connection = place.connect()): SqlStoreOptions {
  return { connection, namespace: place.namespace, leaseMs: LEASE_MS };
}

/** The store, which says to its manager that a lease lasts three passes. */
function passing(store: TaskStore, passMs: number): TaskStore {
  const { shared } = store;
  if (shared === undefined) throw new Error("the store is not shared");
  return overriding(store, { shared: overriding(shared, { leaseMs: 3 * passMs }) });
}

/** Ends the lease of the manager; `false`: another process has its journal, or the journal is gone. */
async function hasLapsed({ ask, namespace }: SqlPlace, { runtime }: Writer): Promise<boolean> {
  const isOwn = `writer like '%"${runtime.instanceId}"%'`;
  const rows = await ask(`update ${namespace}_journals set lease_until = 1 where ${isOwn} returning number`);
  return rows.length > 0;
}
