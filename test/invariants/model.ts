// Model: what §1–§8 says of a program, in lists and loops.
//
// Plays one step at a time, knows no promise and nothing of the core. `play` decides a call, `rest` (model-life.ts) delivers what follows
// from it. Rules are cited where they are kept.

import { ModelInbox } from "./model-inbox.js";
import { isWithin, type ModelTask, type ModelWait, no, ok, type Result, rootOf, threw } from "./model-state.js";
import { tableOf, told } from "./model-tasks.js";
import { closedBy } from "./model-waits.js";
import { isWait, type OtherStep, type PlainStep, type SpawnOptions, type WaitStep } from "./steps.js";

export class Model extends ModelInbox {
  private sent = 0;

  /** Decides one call: "" or the code it is refused with; `undefined` when the program has no such call to make now. */
  play(step: PlainStep): string | undefined {
    return isWait(step) ? this.wait(step) : this.act(step);
  }

  protected act(step: OtherStep): string | undefined {
    switch (step.do) {
      case "spawn":
        return this.spawn(step.task, step.with);
      case "return":
      case "throw": {
        const task = this.tasks.get(step.task);
        if (task === undefined || task.phase === "unstarted" || task.isTold) return undefined;
        const error = step.do === "throw" ? step.with.error : undefined;
        const thrown = error === undefined ? undefined : this.waits.get(error)?.told;
        if (error !== undefined && (thrown === undefined || thrown.isOk)) return undefined;
        this.soon(() => this.end(task, step.do === "return" ? { how: "returned" } : threw(thrown)));
        return "";
      }
      case "answer":
      case "reject": {
        const request = this.waits.get(step.wait)?.request;
        if (request === undefined) return undefined;
        if (this.isClosed) return "MANAGER_CLOSED";
        if (request.status !== "open") return "ALREADY_ANSWERED"; // A1
        this.close(request, step.do === "answer" ? "answered" : "rejected");
        return "";
      }
      case "send": {
        const task = this.tasks.get(step.task);
        if (task === undefined) return undefined;
        const text = `message ${++this.sent}`;
        if (this.isClosed) return "MANAGER_CLOSED";
        if (task.outcome !== undefined) return "TASK_TERMINATED";
        this.fact(`message ${task.name} inbound`);
        const receiver = this.receivers.find((wait) => wait.mailbox === task);
        if (receiver === undefined) task.unread.push(text);
        else this.decide(receiver, ok(text));
        return "";
      }
      case "note": {
        const task = this.tasks.get(step.task);
        if (task === undefined || task.phase === "unstarted") return undefined;
        if (["progress", "output", "post", "heartbeat"].includes(step.what)) task.signAt = this.now;
        // S2. What promises storage rejects, and other writes are dropped in silence.
        if (task.phase !== "open") {
          this.droppedWrites++;
          return step.what === "post" ? closedBy(task).text : "";
        }
        if (step.what === "post") this.deliver(() => {});
        if (step.what !== "output") this.fact(`${step.what} ${task.name}`);
        return "";
      }
      case "outcomes": {
        const tasks = this.named(step.tasks);
        const callers = [step.with.by, step.with.ctx].filter((name) => name !== undefined);
        const isReady = callers.every((name) => (this.tasks.get(name)?.phase ?? "unstarted") !== "unstarted");
        if (tasks === undefined || this.readers.has(step.reader) || !isReady) return undefined;
        this.readers.set(step.reader, { tasks, options: step.with, living: undefined, ended: [], step: undefined });
        return "";
      }
      case "leave": {
        const reader = this.readers.get(step.reader);
        if (reader === undefined) return undefined;
        this.leave(reader);
        return "";
      }
      case "abort": {
        const signal = this.signal(step.signal);
        if (signal.isAborted) return undefined;
        signal.isAborted = true;
        for (const each of [...signal.followers]) {
          if (!signal.followers.includes(each)) continue;
          if ("phase" in each) this.stop(each, "cancel", `signal ${step.signal}`);
          else this.decide(each, no(`signal ${step.signal}`));
        }
        signal.followers = [];
        return "";
      }
      case "pause":
      case "resume":
        this.slots.pause(step.lane, step.do === "pause");
        return "";
      case "on":
        this.hear(step.fact, step.calls);
        return "";
      case "advance":
        this.advance(this.now + step.ms);
        return "";
      case "close": {
        const { living } = this;
        if (this.isClosed) return "";
        this.isClosed = true;
        this.stopAll(living, "shutdown", "shutdown"); // D8
        if (this.living.length > 0) this.graceOver(living, step.graceMs);
        return "";
      }
    }
  }

  // ── spawning ─────────────────────────────────────────────────────────────

  protected spawn(name: string, options: SpawnOptions): string | undefined {
    const by = options.by === undefined ? undefined : this.tasks.get(options.by);
    if (this.tasks.has(name) || (options.by !== undefined && by === undefined) || by?.phase === "unstarted")
      return undefined;
    const named = options.parent === undefined ? undefined : this.tasks.get(options.parent);
    if (options.parent !== undefined && named === undefined) return undefined;
    const context = options.ctx === undefined ? by : this.tasks.get(options.ctx);
    if (options.ctx !== undefined && (context === undefined || context.phase === "unstarted")) return undefined;
    const isByHand = options.via === "manager" || options.via === "session";
    const scope = !isByHand ? context : this.rules.ambient === false ? undefined : by;
    let parent = scope;
    if (scope !== undefined && scope.phase !== "open") {
      const hasReturned = scope.stop === undefined && scope.outcome?.status === "succeeded";
      if (!hasReturned || scope.phase === "abandoned") return "SCOPE_CANCELLED"; // H0, H3
      if (!isByHand) return "TASK_TERMINATED";
      parent = undefined; // H0: there is no ambient task any more.
    }
    if (options.via === "session" && parent?.isOfSession === false) parent = undefined;
    const isOfSession = named?.isOfSession ?? (options.via === "session" || parent?.isOfSession === true);
    if (options.root) parent = undefined;
    if (named !== undefined) parent = named;
    if (this.isClosed) return "MANAGER_CLOSED";
    if (isOfSession && this.cancelling.includes("session")) return "SCOPE_CANCELLED"; // H3
    const refused = parent === undefined ? "" : this.refuseUnder(parent);
    if (refused !== "") return refused;
    const lane = this.slots.lane(options.lane ?? "default");
    const { maxQueued = 10_000 } = this.rules.limits ?? {};
    if (this.slots.starts >= maxQueued && !this.slots.isFree(lane)) {
      // L6: each owner has one place, as many of them as the line is long.
      const standing = this.slots.lanes.flatMap(({ line }) => line).filter(({ place }) => place?.isResume === false);
      const hasPlace = standing.some((each) => each.isOfSession === isOfSession);
      if (hasPlace || standing.length >= 2 * maxQueued) return "QUEUE_FULL";
    }
    const task: ModelTask = {
      name,
      parent,
      isOfSession,
      options: { body: "obeys", ...options },
      depth: parent === undefined ? 0 : parent.depth + 1,
      children: options.children ?? "await",
      deadlineAt: this.now + (options.totalTimeoutMs ?? Infinity),
      isDetached: parent === undefined || options.detached === true,
      lane: lane.name,
      laneKey: options.laneKey ?? "",
      priority: options.priority ?? 0,
      holdsSlot: false,
      place: undefined,
      firstPlace: undefined,
      status: "queued",
      phase: "unstarted",
      isTold: false,
      isSilent: false,
      stop: undefined,
      outcome: undefined,
      isOver: false,
      endOrder: 0,
      waits: [],
      returning: undefined,
      unread: [],
      leftMs: options.timeoutMs ?? 0,
      runningSince: undefined,
      signAt: 0,
    };
    this.tasks.set(name, task);
    this.fact(`created ${name}`);
    if (options.totalTimeoutMs !== undefined) {
      this.timer(task, "total", options.totalTimeoutMs, () => this.stop(task, "total_timeout", "total_timeout"));
    }
    if (options.signal !== undefined) {
      const signal = this.signal(options.signal);
      if (signal.isAborted) this.stop(task, "cancel", `signal ${options.signal}`);
      else signal.followers.push(task);
    }
    // L4: a child of a started task enters one agingMs earlier.
    const head = parent === undefined || parent.phase === "unstarted" ? 0 : 1;
    if (!task.isOver) this.slots.enter(task, false, this.now, head);
    return "";
  }

  /** H1, H3, H4. */
  protected refuseUnder(parent: ModelTask): string {
    const { maxDepth = 8, maxChildren, maxDescendants } = this.rules.limits ?? {};
    const { living } = this;
    if (parent.stop !== undefined) return "SCOPE_CANCELLED";
    if (parent.outcome !== undefined)
      return parent.outcome.status === "succeeded" ? "TASK_TERMINATED" : "SCOPE_CANCELLED";
    if (this.cancelling.includes(parent)) return "SCOPE_CANCELLED";
    const root = rootOf(parent);
    const isFull =
      parent.depth + 1 > maxDepth ||
      living.filter((task) => task.parent === parent).length >= (maxChildren ?? Infinity) ||
      living.filter((task) => task !== root && rootOf(task) === root).length >= (maxDescendants ?? Infinity);
    return isFull ? "LIMIT_EXCEEDED" : "";
  }

  // ── waiting ──────────────────────────────────────────────────────────────

  protected wait(step: WaitStep): string | undefined {
    const { by: name, ctx = name, via = "ctx" } = step.with;
    const [by, context] = [name, ctx].map((each) => (each === undefined ? undefined : this.tasks.get(each)));
    if (this.waits.has(step.as) || [by, context].some((task) => task?.phase === "unstarted")) return undefined;
    if ((name !== undefined && by === undefined) || (ctx !== undefined && context === undefined)) return undefined;
    const isOfContext = ["sleep", "ask", "receive"].includes(step.do);
    if (isOfContext && context === undefined) return undefined;
    // H0: the wait of the task whose code makes it; after its function has settled there is no ambient task.
    const isByHand = ["result", "outcome", "cancel", "idle"].includes(step.do) || (!isOfContext && via !== "ctx");
    const ambient = this.rules.ambient === false || by?.phase === "settled" ? undefined : by;
    const owner = ambient ?? (isByHand ? undefined : context);
    switch (step.do) {
      case "sleep": {
        const wait = this.made(step, owner, "time");
        if (this.begin(wait)) this.timer(wait, "wait", step.ms, () => this.decide(wait, ok("slept")));
        return "";
      }
      case "receive":
        if (context === undefined) return undefined;
        this.receive(
          this.made(step, owner, "message", [], () => ok("nothing"), context),
          context,
        );
        return "";
      case "ask":
        if (context === undefined) return undefined;
        this.ask(this.made(step, owner, "input"), context, step.with);
        return "";
      case "idle": {
        const wait = this.made(step, owner, "slot");
        if (owner?.phase === "open" && owner.stop === undefined) this.answer(wait, no("AWAIT_CYCLE"));
        else if (owner === undefined && this.living.length === 0) this.answer(wait, ok("idle"));
        else if (this.begin(wait)) this.idlers.push(wait);
        return "";
      }
      case "next":
        return this.next(step, owner);
      case "awaitTasks": {
        const tasks = this.named(step.tasks);
        const { until = "all" } = step.with;
        if (tasks === undefined || (typeof until === "number" && until > new Set(tasks).size)) return undefined;
        const wait: ModelWait = this.made(step, owner, "tasks", tasks, (reason) => ok(`${reason}: ${tableOf(tasks)}`));
        this.awaitTasks(wait);
        return "";
      }
      case "cancelAll": {
        const scope = via === "session" ? via : via === "ctx" ? context : undefined;
        const isIn = (task: ModelTask) =>
          scope === "session" ? task.isOfSession : scope === undefined || (task !== scope && isWithin(task, scope));
        const tasks = this.living.filter(isIn);
        for (const task of tasks) this.stop(task, "cancel", "cancel");
        if (scope !== undefined) this.closeScope(scope, tasks);
        this.awaitTasks(this.made(step, owner, "tasks", tasks, () => ok(tasks.map(told).join("; "))));
        return "";
      }
      case "result":
      case "outcome":
      case "cancel": {
        const task = this.tasks.get(step.task);
        if (task === undefined) return undefined;
        if (step.do === "cancel") this.stop(task, "cancel", step.with.reason ?? "cancel");
        const give = (): Result => {
          if (!task.isOver) return ok("nothing");
          if (step.do !== "result") return ok(told(task));
          return task.status === "succeeded" ? ok(task.name) : no(`TASK_OUTCOME ${told(task)}`);
        };
        this.awaitTasks(this.made(step, owner, "tasks", [task], give));
        return "";
      }
    }
  }

  protected named(names: readonly string[]): ModelTask[] | undefined {
    const tasks = names.map((name) => this.tasks.get(name)).filter((task) => task !== undefined);
    return tasks.length === names.length ? tasks : undefined;
  }
}
