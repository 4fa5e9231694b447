// Store view: reads the state of a store without opening it for writing: for a command line, an inspector, a post
// mortem.
//
// Replays the journal into a separate core that runs nothing. Takes no lock and writes nothing, so the store may be
// in use.

import { newestEvents } from "../core/durable/event-reader.js";
import type { OtherJournal, TaskStore, TornTail } from "../core/durable/store.js";
import { fromStore } from "../core/durable/store-failure.js";
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

/** The stored state at the moment when `viewStore` read it. */
export interface StoreView {
  /** The `seq` of the last event that was read; 0 for an empty store. */
  readonly seq: number;
  /** The incomplete end of a journal whose writer was killed. The view does not contain it. */
  readonly torn?: TornTail;
  /** Records in the order of creation. A record must match every given field of `filter`. */
  list(filter?: TaskFilter): readonly TaskRecord[];
  /** Every root with its kept descendants, or only the tree under `id`. Empty when `id` is unknown. */
  tree(id?: string): readonly TaskTree[];
  /** The open requests, oldest first, unless `status` asks for others. */
  requests(filter?: RequestFilter): readonly InboxRequest[];
  /** The messages of a task in both directions, oldest first. Empty when the task is unknown. */
  messages(taskId: string): readonly Message[];
  /**
   * The newest `limit` (default 100) events of a task, oldest first. They are read during this call, so they may be
   * newer than the view.
   */
  history(
    taskId: string,
    query?: {
      /** The largest number of events, an integer ≥ 0; default 100. */
      limit?: number | undefined;
    },
  ): Promise<readonly TaskEvent[]>;
}

/**
 * Reads every task of the journal, also while a manager in another process has the store open. In a store that several
 * processes share, the tasks of all processes are included. An active task has the status that its process stored last.
 *
 * Rejects with `JournalCorruptError` or `StoreUnavailableError`; a `TypeError` names a method that `store` lacks.
 */
export async function viewStore(store: TaskStore): Promise<StoreView> {
  checkStore("store", store);
  const core = viewCore();
  const stored = await fromStore("peek", () => store.peek());
  const { seq } = await readInto(core.replay(undefined), store, stored);
  /** The journals of events that are not in the journal of `store` itself, by task id. */
  const elsewhere = new Map<string, OtherJournal>();
  const own = await fromStore("own", () => store.shared?.own?.());
  for (const journal of (await fromStore("others", () => store.shared?.others())) ?? []) {
    if (journal.name === own) continue;
    const replay = core.replay({ left: NOTHING, writer: journal.writer });
    await readInto(replay, journal, await fromStore("peek", () => journal.peek()));
    for (const id of replay.ids) elsewhere.set(id, journal);
  }
  const { registry, requests } = core;
  return Object.freeze({
    seq,
    ...(stored.torn === undefined ? {} : { torn: stored.torn }),
    list: (filter: TaskFilter = {}) => {
      checkFilter(filter);
      return core.list(filter, { tasks: () => registry.all(), owns: () => true }).map((task) => task.record);
    },
    tree: (id?: string) => {
      const top = id === undefined ? undefined : registry.byId(id);
      if (id !== undefined) return top === undefined ? [] : [treeOf(top)];
      return registry.tops().map(treeOf);
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
