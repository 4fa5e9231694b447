// Takeover: moves the tasks of a dead process in a shared store to this manager, as far as this manager can resume them
// (D9).
//
// Owns the choice. A task whose kind or lane is missing here stays with its whole tree for a process that knows them:
// the journal is released with exactly those tasks. The other tasks are replayed next to the tasks of this process, and
// stored as its own before one of them resumes.

import type { Core } from "../core/core.js";
import type { Committer } from "../core/durable/committer.js";
import { listsOf } from "../core/durable/event-lists.js";
import type { LeftBehind, OtherJournal, SeizedJournal, SharedJournals } from "../core/durable/store.js";
import type { Task } from "../core/live/task.js";
import { goOn } from "../core/recovery/asking-kinds.js";
import { fatesOf } from "../core/recovery/fate.js";
import { type ReadJournal, readJournal, replayAll } from "../core/recovery/read-journal.js";
import { type RecoveryDeps, recover } from "../core/recovery/recovery.js";
import type { Replay } from "../core/recovery/replay.js";
import { type Ended, endsIn, isSameEnd } from "../core/recovery/same-end.js";
import { type Snapshot, takeSnapshot, toSnapshot } from "../core/recovery/snapshot.js";
import { contentOf } from "../core/recovery/standbys.js";
import type { TaskEvent } from "../core/task/events.js";
import type { TaskRecord } from "../core/task/record.js";
import { boundedList } from "../core/values/bounded-list.js";
import { show } from "../core/values/checks.js";
import { viewCore } from "./view-core.js";

/** Which tasks of a journal stay in it. */
interface Plan {
  /** The ids of tasks that stay in the journal. */
  readonly ids: ReadonlySet<string>;
  /** The content of the journal after the takeover; `undefined`: no task stays. */
  readonly left: LeftBehind | undefined;
  /** Whether this manager can resume at least one task. */
  readonly takes: boolean;
}

interface ReplayedJournal {
  readonly replay: Replay;
  readonly left: LeftBehind | undefined;
}

/** Decides on free journals, and takes one over. */
export class Takeover {
  readonly #core: Core;
  readonly #deps: RecoveryDeps;
  readonly #committer: Committer;
  /** Seized journals that are replayed and not stored yet: a retry stores the same tasks. */
  readonly #replayed = new WeakMap<SeizedJournal, ReplayedJournal>();
  /** Versions of the journals without a task that this manager can resume, by journal name. */
  readonly #passedOver = new Map<string, string>();
  /** The missing kinds and lanes that were logged. */
  readonly #reported = new Set<string>();

  constructor(core: Core, deps: RecoveryDeps, committer: Committer) {
    this.#core = core;
    this.#deps = deps;
    this.#committer = committer;
  }

  /**
   * Whether this process can resume a task of a free journal. A repeated call reads nothing until the journal has
   * changed, unless a task waits here for its id.
   */
  async isWanted(journal: OtherJournal): Promise<boolean> {
    const { name, version } = journal;
    // A task that waits here for its id may have brought the missing kind.
    if (this.#passedOver.get(name) === version && !this.#core.standbys?.isAnyWaiting) return false;
    const stored = await journal.peek();
    const { takes } = this.#plan(await readJournal(journal, stored), journal);
    if (takes) this.#passedOver.delete(name);
    else this.#passedOver.set(name, version);
    return takes;
  }

  /**
   * Stores the resumable tasks of a seized journal as tasks of this manager, then resumes or ends them. Rejects with
   * the errors of the store; a retry with the same journal continues with the same tasks.
   */
  async take(journal: SeizedJournal): Promise<void> {
    const { replay, left } = this.#replayed.get(journal) ?? (await this.#replay(journal));
    await this.#committer.absorb(journal, left, [...replay.renamed.values()]);
    const reattached = await recover(this.#deps, replay);
    await this.#core.loop.stored.until(this.#core.loop.seq);
    this.#core.notices.tookOver();
    goOn(this.#deps, reattached);
  }

  /**
   * Reads the whole journal before the replay, so that the tasks appear in one synchronous step: the live tasks run
   * meanwhile.
   */
  async #replay(journal: SeizedJournal): Promise<ReplayedJournal> {
    const stored = await journal.peek();
    const read = await readJournal(journal, stored);
    // The plan is made again: another process may have changed the journal before it was seized.
    // A task that waits here for an ended task gets that end first, so that the replay finds them to be one task.
    await this.#core.standbys?.checkIds();
    const { ids, left } = this.#plan(read, journal);
    this.#core.notices.takeOver();
    const ends = endsIn(read);
    const replay = this.#core.replay({
      left: ids,
      writer: journal.writer,
      standbyFor: (record) => (ends.has(record.id) ? undefined : this.#standbyFor(record)),
      sameFor: (record) => this.#sameFor(record, ends.get(record.id)),
    });
    const replayed = { replay, left };
    this.#replayed.set(journal, replayed);
    replayAll(replay, read);
    this.#core.standbys?.renamed(replay.formerIds);
    for (const [id, kept] of replay.renamed)
      this.#deps.logger.warn(
        `Task ${show(id)} of journal ${journal.name} is kept as ${show(kept)}: a task of this process has its id`,
      );
    return replayed;
  }

  #standbyFor(record: TaskRecord): Task | undefined {
    const { standbys } = this.#core;
    const task = standbys?.waitingFor(record.id);
    if (task === undefined || !isOfContent(task, record)) return undefined;
    standbys?.begin(task);
    return task;
  }

  #sameFor(record: TaskRecord, end: Ended | undefined): Task | undefined {
    const task = this.#core.registry.byId(record.id);
    if (end === undefined || task?.isOver !== true || !task.traits.hasGivenId) return undefined;
    return isSameEnd(task, end) && isOfContent(task, record) ? task : undefined;
  }

  #plan(read: ReadJournal, { name, writer }: OtherJournal): Plan {
    const events = read.events.map(([event]) => event);
    if (!mayLack(this.#core, read.snapshot, events)) return { ids: new Set(), left: undefined, takes: true };
    const view = viewCore();
    const replay = view.replay(undefined);
    replayAll(replay, read);
    for (const task of replay.living) task.kind = this.#core.standbys?.waitingFor(task.id)?.kind;
    const { slots } = this.#core;
    const deps = { ...this.#deps, isDeclared: (lane: { readonly name: string }) => slots.lanes.has(lane.name) };
    const roots = new Set<Task>();
    const missing = new Set<string>();
    for (const [task, fate] of fatesOf(deps, replay.living)) {
      if (!("wait" in fate)) continue;
      roots.add(task.root);
      missing.add(fate.wait.on === "kind" ? `kind ${show(fate.wait.kind)}` : `lane ${show(task.laneName)}`);
    }
    const all = [...view.registry.all()];
    const tasks = all.filter((task) => roots.has(task.root));
    const ids = new Set(tasks.map(({ id }) => id));
    if (ids.size === 0) return { ids, left: undefined, takes: true };
    this.#warn(name, missing, tasks);
    const requests = view.requests.all.filter(({ taskId }) => ids.has(taskId));
    const { json, seq, apart } = takeSnapshot(read.seq, writer, tasks, requests, {}, undefined);
    return {
      ids,
      left: { snapshot: json, seq, outputs: [...apart.keys()], ids: givenIn(tasks) },
      takes: ids.size < all.length,
    };
  }

  #warn(name: string, missing: ReadonlySet<string>, tasks: readonly Task[]): void {
    const what = boundedList([...missing]);
    if (this.#reported.has(what)) return;
    this.#reported.add(what);
    const living = tasks.filter((task) => !task.isOver).map(({ id }) => id);
    this.#deps.logger.warn(
      `Journal ${name} has tasks of which this manager lacks the ${what}: they stay in it until a process can resume them`,
      { taskIds: living },
    );
  }
}

function isOfContent(task: Task, { sessionId, parentId, kind, input }: TaskRecord): boolean {
  return contentOf(task) === contentOf({ sessionId, parentId, traits: { kind, input } });
}

function givenIn(tasks: readonly Task[]): readonly string[] {
  return tasks.filter(({ traits }) => traits.hasGivenId).map(({ id }) => id);
}

/**
 * The names of the free journals, oldest first, that `open` should not resume: they have tasks whose kind or lane this
 * process may lack. The list ends before the first journal that `open` may resume. A takeover examines the listed
 * journals later.
 */
export async function unwantedIn(core: Core, shared: SharedJournals): Promise<readonly string[]> {
  const unwanted: string[] = [];
  let others: readonly OtherJournal[] = [];
  try {
    others = await shared.others();
  } catch {
    // The tables do not exist yet or cannot be read: `open` reports that.
  }
  for (const journal of others) {
    if (!journal.isFree) continue;
    try {
      if (!(await isLacking(core, journal))) break;
    } catch {
      // Another process took the journal meanwhile, or the journal is broken: `open` reports which.
      break;
    }
    unwanted.push(journal.name);
  }
  return unwanted;
}

async function isLacking(core: Core, journal: OtherJournal): Promise<boolean> {
  const { snapshot, nextSeq } = await journal.peek();
  const known = snapshot === undefined ? undefined : toSnapshot(snapshot);
  if (mayLack(core, known, [])) return true;
  const from = (known?.seq ?? 0) + 1;
  if (nextSeq <= from) return false;
  for await (const events of listsOf(journal, { from })) if (mayLack(core, undefined, events)) return true;
  return false;
}

/** A quick check: whether a task that may be active has a kind or a lane that is unknown here. */
function mayLack({ kinds, slots }: Core, snapshot: Snapshot | undefined, events: readonly TaskEvent[]): boolean {
  const lacks = ({ kind, lane }: TaskRecord) =>
    kind !== undefined && (kinds.find(kind) === undefined || !slots.lanes.has(lane));
  return (
    snapshot?.tasks.some(({ record }) => record.finishedAt === undefined && lacks(record)) === true ||
    events.some((event) => event.type === "task.created" && lacks(event.record))
  );
}
