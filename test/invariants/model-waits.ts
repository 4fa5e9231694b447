// Model waits: how a wait begins, is decided, and is told, and what that means for the slot of whose it is (§3).
//
// A wait is begun once, decided once, and told once. L2, C3 and C6 are kept here; what a wait waits for, the files above this one know.

import { ModelLife } from "./model-life.js";
import { type ModelReader, type ModelTask, type ModelWait, no, ok, type Result, threw } from "./model-state.js";
import type { AskOptions, AwaitOptions, WaitStep } from "./steps.js";

export abstract class ModelWaits extends ModelLife {
  protected abstract unwatch(reader: ModelReader): void;

  protected made(
    step: WaitStep,
    owner: ModelTask | undefined,
    on: ModelWait["on"],
    tasks: readonly ModelTask[] = [],
    give: ModelWait["give"] = () => ok(""),
    mailbox?: ModelTask,
  ): ModelWait {
    const options: AwaitOptions & AskOptions = step.with;
    const by = options.by === undefined ? undefined : this.tasks.get(options.by);
    const { then } = options;
    const react = (result: Result): void => {
      if (then === "return" && by !== undefined) this.end(by, result.isOk ? { how: "returned" } : threw(result));
      else if (then !== "return") this.perform(then ?? []);
    };
    const rest = {
      reader: undefined,
      mailbox,
      request: undefined,
      react,
      stopping: undefined,
      decided: undefined,
      told: undefined,
    };
    const scope: ModelWait["scope"] = options.via === "session" ? "session" : "manager";
    const wait = { name: step.as, scope, on, options, owner, tasks, until: options.until ?? "all", give, ...rest };
    this.waits.set(step.as, wait);
    return wait;
  }

  // ── beginning and ending ─────────────────────────────────────────────────

  /** Its answer is there already: no wait, no slot change. */
  protected answer(wait: ModelWait, result: Result): void {
    const { react } = wait;
    wait.decided = result;
    wait.told = result;
    if (react !== undefined) this.soon(() => react(result));
  }

  protected tell(wait: ModelWait): void {
    this.deliver(() => {
      if (wait.decided !== undefined) this.answer(wait, wait.decided);
    });
  }

  protected isRefused(wait: ModelWait): boolean {
    const { owner, options } = wait;
    if (owner?.phase === "abandoned") {
      this.slots.release(owner); // C3: it is frozen here, and a lane that held its slot has it back.
      return true;
    }
    if (owner?.phase === "settled") {
      this.answer(wait, closedBy(owner));
      return true;
    }
    if (owner?.stop !== undefined) {
      const result = no(`TASK_CANCELLED ${owner.stop.words}`);
      this.afterwards(() => this.answer(wait, result)); // C3
      return true;
    }
    const signal = options.signal === undefined ? undefined : this.signal(options.signal);
    if (signal?.isAborted) this.answer(wait, no(`signal ${options.signal}`));
    return signal?.isAborted === true;
  }

  /** For what another task has, through its context: another's cancel is not one's own (C4). */
  protected isRefusedThrough(wait: ModelWait, of: ModelTask): boolean {
    if (this.isRefused(wait)) return true;
    const isClosed = wait.owner !== of && (of.phase !== "open" || of.stop !== undefined);
    if (isClosed) this.answer(wait, closedBy(of));
    return isClosed;
  }

  /** L2: gives the slot back, or the place in line; a wait that stood there for its slot returns at once. */
  protected begin(wait: ModelWait): boolean {
    if (this.isRefused(wait)) return false;
    const { owner, options } = wait;
    if (owner !== undefined) {
      const { returning } = owner;
      owner.returning = undefined;
      owner.waits.push(wait);
      this.block(owner);
      this.hold(owner);
      this.slots.leave(owner);
      this.slots.release(owner);
      if (returning !== undefined) this.tell(returning);
    }
    if (options.signal !== undefined) this.signal(options.signal).followers.push(wait);
    return true;
  }

  /** C6: its first event decides it. The last one to end comes back with a slot (L2). */
  protected decide(wait: ModelWait, result: Result): void {
    if (wait.decided !== undefined) return;
    wait.decided = result;
    this.unhook(wait);
    const { owner } = wait;
    if (owner === undefined) return this.tell(wait);
    owner.waits = owner.waits.filter((each) => each !== wait);
    if (owner.waits.length > 0) {
      this.block(owner);
      return this.tell(wait);
    }
    owner.returning = wait;
    this.slots.enter(owner, true, this.now, 1);
    if (owner.place !== undefined) this.block(owner);
  }

  /** Told of too; how often is the manager's own affair, and so no fact here. */
  protected block(task: ModelTask): void {
    task.status = "blocked";
    this.deliver(() => {});
  }

  protected resume(task: ModelTask): void {
    const { returning } = task;
    task.returning = undefined;
    task.status = "running";
    this.fact(`resumed ${task.name}`);
    this.run(task);
    if (returning !== undefined) this.tell(returning);
  }

  /** Of a task that was stopped, or whose function is over: one on its way back too. */
  protected rejectAll(task: ModelTask, result: Result): void {
    const waits = [...task.waits, ...(task.returning === undefined ? [] : [task.returning])];
    task.waits = [];
    task.returning = undefined;
    if (waits.length > 0) this.slots.leave(task);
    for (const wait of waits) {
      const isOpen = wait.decided === undefined;
      wait.decided = result;
      if (isOpen) this.unhook(wait);
      this.tell(wait);
    }
  }

  protected unhook(wait: ModelWait): void {
    this.timers = this.timers.filter(({ of }) => of !== wait);
    this.watchers = this.watchers.filter((each) => each !== wait);
    this.receivers = this.receivers.filter((each) => each !== wait);
    this.idlers = this.idlers.filter((each) => each !== wait);
    for (const signal of this.signals.values()) signal.followers = signal.followers.filter((each) => each !== wait);
    const { request, reader } = wait;
    if (reader?.step === wait) {
      reader.step = undefined;
      this.unwatch(reader);
    }
    if (request === undefined) return;
    request.askers = request.askers.filter((each) => each !== wait);
    if (request.askers.length === 0 && request.key === undefined) this.close(request, "withdrawn");
  }
}

/** What a context whose function is over, or was stopped, refuses with. */
export function closedBy(task: ModelTask): Result {
  const hasReturned = task.stop === undefined && task.outcome?.status === "succeeded";
  return no(hasReturned ? "TASK_TERMINATED" : "SCOPE_CANCELLED");
}
