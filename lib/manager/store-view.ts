// Store view: what a store has, for those who only look: a command line, an inspector, a post mortem.
//
// Replays it into a manager of its own that runs nothing. Takes no lock and writes nothing, so the store may be in use.

import { newestEvents } from "../core/durable/event-reader.js";
import type { OtherJournal, TaskStore, TornTail } from "../core/durable/store.js";
import { checkStore } from "../core/durable/store-methods.js";
import { treeOf } from "../core/live/family.js";
import { checkFilter } from "../core/live/filter.js";
import { readInto } from "../core/recovery/read-journal.js";
import type { TaskEvent } from "../core/task/events.js";
import type { Message } from "../core/task/message.js";
import type { TaskFilter, TaskRecord, TaskTree } from "../core/task/record.js";
import type { InboxRequest, RequestFilter } from "../core/task/request.js";
import { checkCount, checkOptions } from "../core/values/checks.js";
import { viewCore } from "./view-core.js";

/** The state of one moment: what was stored when `viewStore` read it. */
export interface StoreView {
  /** `seq` of the last event it knows; 0 in an empty store. */
  readonly seq: number;
  /** The broken end of a journal whose writer was killed, left out. */
  readonly torn?: TornTail;
  /** By creation. Every given field must fit. */
  list(filter?: TaskFilter): readonly TaskRecord[];
  /** Every root with what is kept below it, or the one tree under `id`. Empty when unknown. */
  tree(id?: string): readonly TaskTree[];
  /** The open ones, oldest first, unless `status` asks for others. */
  requests(filter?: RequestFilter): readonly InboxRequest[];
  /** Both ways, oldest first. Empty when unknown. */
  messages(taskId: string): readonly Message[];
  /** The newest `limit` (default 100) events of a task, oldest first; read when it is called, so they may be newer than the rest. */
  history(taskId: string, query?: { limit?: number | undefined }): Promise<readonly TaskEvent[]>;
}

/**
 * What a store has: every task that its journal tells of, also when a manager of another process has it open; of one that several processes
 * share, the tasks of all of them. A task that is not over is shown as it was when its process was last heard of. `JournalCorruptError`, `StoreUnavailableError`;
 * a `TypeError` names the method that `store` lacks.
 */
export async function viewStore(store: TaskStore): Promise<StoreView> {
  checkStore("store", store);
  const core = viewCore();
  const stored = await store.peek();
  const { seq } = await readInto(core.replay(undefined), store, stored);
  /** Where the events of a task are, when not in `store` itself. */
  const elsewhere = new Map<string, OtherJournal>();
  const own = await store.shared?.own?.();
  for (const journal of (await store.shared?.others()) ?? []) {
    if (journal.name === own) continue;
    const replay = core.replay({ left: NOTHING, writer: journal.writer });
    await readInto(replay, journal, await journal.peek());
    for (const id of replay.ids) elsewhere.set(id, journal);
  }
  const { registry, requests } = core;
  return Object.freeze({
    seq,
    ...(stored.torn === undefined ? {} : { torn: stored.torn }),
    list: (filter: TaskFilter = {}) => {
      checkFilter(filter);
      return core.list(filter, () => true).map((task) => task.record);
    },
    tree: (id?: string) => {
      const tops = core.list({}, (task) => (id === undefined ? task.parent === undefined : task.id === id));
      return tops.map(treeOf);
    },
    requests: (filter?: RequestFilter) => requests.list(filter),
    messages: (taskId: string) => registry.byId(taskId)?.extras?.mailbox?.list() ?? [],
    history: async (taskId: string, query: { limit?: number | undefined } = {}) => {
      checkOptions("history", query, "limit");
      checkCount("limit", query.limit, 0);
      return newestEvents(elsewhere.get(taskId) ?? store, (event) => event.taskId === taskId, query.limit ?? 100);
    },
  });
}

const NOTHING: ReadonlySet<string> = new Set();
