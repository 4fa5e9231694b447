// Takeover: what another process left in a store that several share becomes this manager's, as far as this manager can resume it (D9).
//
// Owns the choice. A task whose kind, or lane, is missing here stays where it is, with its whole tree, for a process that has them: the journal is
// given back with exactly those tasks. The others are replayed beside the tasks of this process, and stored as its own before any of them goes on.

import type { Core } from "../core/core.js";
import type { Committer } from "../core/durable/committer.js";
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
import { show } from "../core/values/checks.js";
import { viewCore } from "./view-core.js";

/** The plan for a journal. */
interface Plan {
  /** Tasks that stay in it, by id. */
  readonly ids: ReadonlySet<string>;
  /** The journal as it is given back; `undefined`: nothing stays. */
  readonly left: LeftBehind | undefined;
  /** Whether there is anything to take. */
  readonly takes: boolean;
}

interface Made {
  readonly replay: Replay;
  readonly left: LeftBehind | undefined;
}

export class Takeover {
  readonly #core: Core;
  readonly #deps: RecoveryDeps;
  readonly #committer: Committer;
  /** Made, and not stored yet: that is tried again. */
  readonly #made = new WeakMap<SeizedJournal, Made>();
  /** Versions of the journals in which there was nothing to take, by name. */
  readonly #passedOver = new Map<string, string>();
  /** Lacks that were reported. */
  readonly #warned = new Set<string>();

  constructor(core: Core, deps: RecoveryDeps, committer: Committer) {
    this.#core = core;
    this.#deps = deps;
    this.#committer = committer;
  }

  /** Whether a free journal has anything that this process can resume. Asked again, it reads nothing until the journal has changed. */
  async isWanted(journal: OtherJournal): Promise<boolean> {
    const { name, version } = journal;
    // A kind that a waiting task has brought may allow to take more.
    if (this.#passedOver.get(name) === version && !this.#core.standbys?.isAnyWaiting) return false;
    const stored = await journal.peek();
    const { takes } = this.#plan(await readJournal(journal, stored), journal);
    if (takes) this.#passedOver.delete(name);
    else this.#passedOver.set(name, version);
    return takes;
  }

  async take(journal: SeizedJournal): Promise<void> {
    const { replay, left } = this.#made.get(journal) ?? (await this.#replay(journal));
    await this.#committer.absorb(journal, left, [...replay.renamed.values()]);
    const reattached = await recover(this.#deps, replay);
    await this.#committer.durable(this.#core.loop.seq);
    this.#core.notices.tookOver();
    goOn(this.#deps, reattached);
  }

  /** Read first: what is live already goes on meanwhile, and sees all of it at once. */
  async #replay(journal: SeizedJournal): Promise<Made> {
    const stored = await journal.peek();
    const read = await readJournal(journal, stored);
    // Seized, it is read again: another process may have had it since it was looked at.
    // A task here that waits for one which has ended is given that end: then both are one.
    await this.#core.standbys?.look();
    const { ids, left } = this.#plan(read, journal);
    this.#core.notices.takeOver();
    const ends = endsIn(read);
    const replay = this.#core.replay({
      left: ids,
      writer: journal.writer,
      standbyFor: (record) => (ends.has(record.id) ? undefined : this.#standbyFor(record)),
      sameFor: (record) => this.#sameFor(record, ends.get(record.id)),
    });
    const made = { replay, left };
    this.#made.set(journal, made);
    replayAll(replay, read);
    this.#core.standbys?.renamed(replay.renamed);
    for (const [id, kept] of replay.renamed)
      this.#deps.logger.warn(
        `Task ${show(id)} of journal ${journal.name} is kept as ${show(kept)}: a task of this process has its id`,
      );
    return made;
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
    const what = [...missing].join(", ");
    if (this.#warned.has(what)) return;
    this.#warned.add(what);
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
 * Names of the free journals that `open` is not to resume, oldest first, up to one that it may: they have tasks that this process may lack the kind, or
 * the lane, of. A takeover looks at them more closely.
 */
export async function unwantedIn(core: Core, shared: SharedJournals): Promise<readonly string[]> {
  const unwanted: string[] = [];
  let others: readonly OtherJournal[] = [];
  try {
    others = await shared.others();
  } catch {
    // There are no tables yet, or they cannot be read: then `open` says so.
  }
  for (const journal of others) {
    if (!journal.isFree) continue;
    try {
      if (!(await isLacking(core, journal))) break;
    } catch {
      // The journal was taken meanwhile, or is broken: `open` finds out which.
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
  for await (const event of journal.read({ from })) if (mayLack(core, undefined, [event])) return true;
  return false;
}

/** Quickly: whether some task that may live is of a kind, or in a lane, that is not here. */
function mayLack({ kinds, slots }: Core, snapshot: Snapshot | undefined, events: readonly TaskEvent[]): boolean {
  const lacks = ({ kind, lane }: TaskRecord) =>
    kind !== undefined && (kinds.find(kind) === undefined || !slots.lanes.has(lane));
  return (
    snapshot?.tasks.some(({ record }) => record.finishedAt === undefined && lacks(record)) === true ||
    events.some((event) => event.type === "task.created" && lacks(event.record))
  );
}
