// Model tasks: waiting for tasks to end: all at once, or one by one (§6).
//
// Whoever ends looks through one plain list of watchers, first come first told. L3 and W1–W4 are kept here.

import {
  isWithin,
  type ModelReader,
  type ModelRequest,
  type ModelTask,
  type ModelWait,
  no,
  ok,
  textOf,
} from "./model-state.js";
import { ModelWaits } from "./model-waits.js";
import type { WaitStep } from "./steps.js";

export abstract class ModelTasks extends ModelWaits {
  // ── tasks ────────────────────────────────────────────────────────────────

  protected awaitTasks(wait: ModelWait): void {
    const { owner, tasks, options, give } = wait;
    const isOver = isDone(wait); // W1
    if (isOver) this.stopRest(wait);
    if (isOver && (wait.stopping === undefined || options.timeoutMs === 0)) return this.answer(wait, give("done"));
    if (isOver) return this.watch(wait);
    if (options.stopOnRequest) {
      const request = this.requests.find((each) => each.status === "open" && this.concerns(wait, each));
      if (request !== undefined) {
        request.seenBy.add(ownerOf(wait));
        return this.answer(wait, give("request"));
      }
    }
    if (options.timeoutMs === 0) return this.answer(wait, give("timeout"));
    if (this.isCycle(owner, tasks)) return this.answer(wait, no("AWAIT_CYCLE"));
    this.watch(wait);
  }

  private watch(wait: ModelWait): void {
    const { options, give } = wait;
    if (!this.begin(wait)) return;
    this.watchers.push(wait);
    const late = (): void => this.decide(wait, give(isDone(wait) ? "done" : "timeout"));
    if (options.timeoutMs !== undefined) this.timer(wait, "wait", options.timeoutMs, late);
  }

  /** W4: `cancelRest` reaches the caller's own children that nobody else waits for, and lasts until they have ended. */
  private stopRest(wait: ModelWait): void {
    if (!wait.options.cancelRest) return;
    this.watchers = this.watchers.filter((each) => each !== wait); // C6: this was its first event.
    const isOwn = (task: ModelTask) =>
      task.parent === wait.owner && (wait.owner !== undefined || wait.scope === "manager" || task.isOfSession);
    const own = [...new Set(wait.tasks.filter((each) => !each.isOver && isOwn(each)))];
    const unwanted = own.filter((task) => !this.watchers.some((each) => watches(each, task)));
    for (const task of unwanted) this.stop(task, "cancel", "no longer needed");
    const living = unwanted.filter((task) => !task.isOver);
    wait.stopping = living.length === 0 ? undefined : living;
  }

  private done(wait: ModelWait): void {
    if (wait.stopping === undefined) this.stopRest(wait);
    else if (wait.stopping.length === 0) wait.stopping = undefined;
    if (wait.stopping === undefined) this.decide(wait, wait.give("done"));
    else if (!this.watchers.includes(wait)) this.watchers.push(wait);
  }

  /** Tells those who wait for it, first come first told. */
  protected tellEnd(task: ModelTask): void {
    for (const watcher of [...this.watchers]) {
      if (!watches(watcher, task, true)) continue;
      if ("ended" in watcher) {
        watcher.living = watcher.living?.filter((each) => each !== task);
        watcher.ended.push(task);
        this.settleStep(watcher);
      } else if (watcher.decided === undefined) {
        watcher.stopping = watcher.stopping?.filter((each) => each !== task);
        if (watcher.stopping === undefined ? isDone(watcher) : watcher.stopping.length === 0) this.done(watcher);
      }
    }
    if (this.living.length === 0) for (const idler of this.idlers) this.decide(idler, ok("idle"));
  }

  /** L3: whether one of `targets` can only end after `waiter` has. */
  protected isCycle(waiter: ModelTask | undefined, targets: readonly ModelTask[]): boolean {
    if (waiter === undefined || waiter.phase !== "open" || waiter.stop !== undefined) return false;
    const needed = new Set(targets);
    for (const task of needed) {
      for (const child of this.attached(task)) needed.add(child);
      for (const wait of task.waits)
        for (const each of [...(wait.stopping ?? wait.tasks), ...(wait.reader?.living ?? [])]) needed.add(each);
    }
    return needed.has(waiter);
  }

  /** W4: once per request and owner. */
  protected concerns(wait: ModelWait, request: ModelRequest): boolean {
    return !request.seenBy.has(ownerOf(wait)) && wait.tasks.some((task) => isWithin(request.task, task));
  }

  /** H3: nothing is spawned under `scope` until all of these have ended. */
  protected closeScope(scope: ModelTask | "session", tasks: readonly ModelTask[]): void {
    this.cancelling.push(scope);
    const nobodys = this.made(
      { do: "idle", as: `closing ${this.waits.size}`, with: { unread: true } },
      undefined,
      "tasks",
      tasks,
    );
    const react = (): void => void this.cancelling.splice(this.cancelling.indexOf(scope), 1);
    this.awaitTasks({ ...nobodys, react });
  }

  // ── one by one ───────────────────────────────────────────────────────────

  protected next(step: WaitStep & { do: "next" }, owner: ModelTask | undefined): string | undefined {
    const reader = this.readers.get(step.reader);
    if (reader === undefined || reader.step !== undefined) return undefined;
    const { by, ctx, via } = reader.options;
    if (by !== step.with.by || ctx !== step.with.ctx || via !== step.with.via) return undefined;
    const { signal } = reader.options;
    const options = { ...step.with, ...(signal === undefined ? {} : { signal }) };
    const wait: ModelWait = { ...this.made(step, owner, "tasks"), reader, options };
    this.waits.set(step.as, wait);
    if (reader.living === undefined) {
      const tasks = [...new Set(reader.tasks)];
      reader.living = tasks.filter((task) => !task.isOver);
      reader.ended = tasks.filter((task) => task.isOver).toSorted((a, b) => a.endOrder - b.endOrder);
      this.watchers.push(reader);
    }
    const [first] = reader.ended;
    if (first !== undefined || reader.living.length === 0) {
      reader.ended.shift();
      this.answer(wait, ok(first === undefined ? "done" : told(first)));
    } else if (this.isCycle(owner, reader.living)) {
      this.unwatch(reader);
      this.answer(wait, no("AWAIT_CYCLE"));
    } else if (this.begin(wait)) reader.step = wait;
    else this.unwatch(reader);
    return "";
  }

  protected settleStep(reader: ModelReader): void {
    const { step } = reader;
    if (step === undefined) return;
    reader.step = undefined;
    const first = reader.ended.shift();
    this.decide(step, ok(first === undefined ? "done" : told(first)));
  }

  protected unwatch(reader: ModelReader): void {
    this.watchers = this.watchers.filter((each) => each !== reader);
    reader.living = [];
    reader.ended = [];
  }

  protected leave(reader: ModelReader): void {
    this.unwatch(reader);
    this.settleStep(reader);
  }
}

function isDone(wait: ModelWait): boolean {
  const tasks = new Set(wait.tasks);
  const over = [...tasks].filter((task) => task.isOver);
  const good = over.filter((task) => task.status === "succeeded").length;
  if (over.length === tasks.size) return true;
  if (typeof wait.until === "number") return over.length >= wait.until;
  if (wait.until === "any") return over.length > 0;
  if (wait.until === "success") return good > 0;
  return wait.until === "failure" && over.length > good;
}

function watches(watcher: ModelWait | ModelReader, task: ModelTask, isEnded = false): boolean {
  if ("ended" in watcher) return watcher.living?.includes(task) === true;
  return (watcher.stopping ?? watcher.tasks).includes(task) && (isEnded || watcher.decided === undefined);
}

export const ownerOf = (wait: ModelWait): string => wait.owner?.name ?? wait.scope;
export const told = (task: ModelTask): string =>
  `${task.name} ${task.outcome === undefined ? "" : textOf(task.outcome)}`;

/** The result of `awaitTasks`: by position, by order of ending, and who is left. */
export function tableOf(tasks: readonly ModelTask[]): string {
  const distinct = [...new Set(tasks)];
  const places = tasks.map((task) => (task.isOver ? told(task) : `${task.name} -`));
  const ended = distinct.filter((task) => task.isOver).toSorted((a, b) => a.endOrder - b.endOrder);
  const pending = distinct.filter((task) => !task.isOver);
  return [places, ended.map(({ name }) => name), pending.map(({ name }) => name)]
    .map((list) => list.join(", "))
    .join(" | ");
}
