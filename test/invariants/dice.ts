// Dice: which step comes next in a random program.
//
// Looks at the model to name tasks, waits and signals that there are, so that most steps have something to do; some are senseless on
// purpose (calls of functions that are over, waits for oneself). Numbers are small: what is to meet must be near.

import type { Model } from "./model.js";
import type { ModelTask } from "./model-state.js";
import type {
  AskOptions,
  AwaitOptions,
  Body,
  HeardFact,
  Note,
  PlainStep,
  Rules,
  SpawnOptions,
  Step,
  Until,
  WaitOptions,
  WaitStep,
} from "./steps.js";

/** A whole number from 0 on, below `sides`. */
export type Roll = (sides: number) => number;

const HEARD: readonly HeardFact[] = ["created", "started", "resumed", "stopped", "returned", "ended", "request"];
const NOTES: readonly Note[] = [
  ...(["progress", "summary", "link", "artifact", "usage", "emit", "post", "heartbeat", "output"] as const),
];

export class Dice {
  readonly #roll: Roll;
  #named = 0;

  constructor(roll: Roll) {
    this.#roll = roll;
  }

  rules(): Rules {
    const slots = () => this.#pick([1, 1, 2, 3]);
    const lanes = {
      slow: { concurrency: 1 },
      fast: { concurrency: slots(), ...this.#maybe(2, { holdAbandoned: true }), ...this.#maybe(3, { agingMs: 5 }) },
    };
    return {
      agingMs: this.#pick([10, 20]),
      graceMs: this.#pick([10, 30]),
      ...this.#maybe(5, { concurrency: slots() }, true),
      ...this.#maybe(8, { ambient: false }),
      ...this.#maybe(6, { retention: { maxFinished: this.#roll(3) } }),
      ...this.#maybe(2, { lanes }),
      ...this.#maybe(5, { limits: { maxDepth: 2, maxChildren: 3, maxDescendants: 5, maxQueued: 3 } }),
    };
  }

  step(rules: Rules, model: Model): Step {
    if (this.#roll(8) > 0) return this.#plain(rules, model);
    const steps: PlainStep[] = [];
    for (let left = 2 + this.#roll(3); left > 0; left--) {
      const step = this.#plain(rules, model);
      if (step.do !== "advance") steps.push(step);
    }
    return { do: "together", steps };
  }

  #plain(rules: Rules, model: Model): PlainStep {
    const lanes = ["default", ...Object.keys(rules.lanes ?? {})];
    const isAny = this.#roll(4) === 0;
    const any = this.#task(model, (task) => isAny || !task.isOver) ?? this.#task(model, () => true);
    const open = this.#task(model, (task) => task.phase === "open" && !task.isTold);
    const kind = this.#roll(100);
    const name = this.#name("");
    // A handful of living tasks, so that they have to do with each other.
    const crowd = model.living.length;
    if (any === undefined || kind < (crowd < 3 ? 55 : crowd < 6 ? 25 : 6))
      return { do: "spawn", task: name, with: this.#spawn(model, lanes, name) };
    if (kind < 56) return this.#wait(model, any);
    if (kind < 61) return { do: "return", task: this.#roll(8) > 0 ? (open ?? any) : any };
    if (kind < 63) return { do: "throw", task: open ?? any, with: this.#thrown(model) };
    if (kind < 71) return this.#answer(model, any);
    if (kind < 75) return { do: "send", task: any };
    if (kind < 78) return { do: "note", task: any, what: this.#pick(NOTES) };
    if (kind < 81)
      return { do: "outcomes", reader: this.#name("r"), tasks: this.#tasks(model), with: this.#caller(model) };
    if (kind < 82) return { do: "leave", reader: this.#of([...model.readers.keys()]) ?? "r" };
    if (kind < 84) return { do: "abort", signal: this.#pick(["s1", "s2", "s3"]) };
    if (kind < 86) return { do: "on", fact: this.#pick(HEARD), calls: this.#calls(model, undefined) };
    if (kind < 89) return { do: this.#pick(["pause", "resume", "resume"]), lane: this.#pick(lanes) };
    if (kind < 99) return { do: "advance", ms: this.#pick([0, 1, 5, 10, 10, 20, 30, 60]) };
    return this.#roll(2) > 0 ? { do: "advance", ms: 10 } : { do: "close", graceMs: this.#pick([0, 10, 50]) };
  }

  #spawn(model: Model, lanes: readonly string[], name: string): SpawnOptions {
    const by = this.#roll(3) > 0 ? this.#task(model, (task) => task.phase !== "unstarted") : undefined;
    const parent = this.#roll(8) === 0 ? this.#task(model, () => true) : undefined;
    const bodies: readonly Body[] = [
      "obeys",
      "obeys",
      "obeys",
      "obeys",
      "deaf",
      "deaf",
      "deaf",
      this.#roll(3) > 0 ? "returns" : "throws",
    ];
    return {
      ...(by === undefined ? {} : { by, ...this.#maybe(3, { via: "manager" as const }) }),
      ...this.#maybe(8, { via: "session" as const }),
      ...this.#foreign(model),
      ...(parent !== undefined ? { parent } : this.#maybe(12, { root: true as const })),
      body: this.#pick(bodies),
      ...(this.#roll(5) === 0 ? { first: this.#calls(model, name) } : {}),
      ...this.#maybe(2, { lane: this.#pick(lanes) }),
      ...this.#maybe(4, { laneKey: this.#pick(["x", "y"]) }),
      ...this.#maybe(4, { priority: this.#pick([-1, 1, 2]) }),
      ...this.#maybe(3, { children: this.#pick(["cancel", "detach"] as const) }),
      ...this.#maybe(7, { detached: true as const }),
      ...this.#maybe(10, { timeoutMs: this.#pick([5, 10, 20]) }),
      ...this.#maybe(12, { totalTimeoutMs: this.#pick([10, 20, 40]) }),
      ...this.#maybe(14, { stallTimeoutMs: this.#pick([5, 15]) }),
      ...this.#maybe(6, { graceMs: this.#pick([0, 5, 40]) }),
      ...this.#maybe(7, { signal: this.#pick(["s1", "s2", "s3"]) }),
    };
  }

  #wait(model: Model, any: string): WaitStep {
    const as = this.#name("w");
    // Late calls too: of functions that are over, or were given up.
    const isLate = this.#roll(8) === 0;
    const by =
      this.#task(model, (task) => (isLate ? task.isTold || task.stop !== undefined : task.phase === "open")) ?? any;
    const inside = { by, ...this.#lasting(model, by) };
    const options: WaitOptions =
      this.#roll(4) > 0 ? { ...inside, ...this.#maybe(3, { via: "manager" }) } : this.#lasting(model, undefined);
    const unread = this.#maybe(6, { unread: true as const });
    const timed = this.#maybe(3, { timeoutMs: this.#pick([0, 5, 10, 20]) });
    switch (this.#roll(19)) {
      case 0:
      case 1:
        return {
          do: "sleep",
          as,
          ms: this.#pick([0, 5, 10, 20]),
          with: this.#roll(8) === 0 ? { by, ...unread } : { ...inside, ...this.#foreign(model) },
        };
      case 2:
      case 3: {
        const late = this.#maybe(3, { onTimeout: "default" as const });
        const key = this.#maybe(3, { key: this.#pick(["k", "l"]), ...this.#maybe(4, { question: "who?" }) });
        const asked: AskOptions = { ...inside, ...timed, ...late, ...key, ...this.#foreign(model) };
        return { do: "ask", as, with: asked };
      }
      case 4:
        return { do: "receive", as, with: { ...inside, ...timed, ...this.#foreign(model) } };
      case 5:
        return {
          do: "cancel",
          as,
          task: any,
          with: { ...options, ...this.#maybe(2, { reason: "enough" }), ...unread },
        };
      case 6:
        return { do: "result", as, task: any, with: options };
      case 7:
        return { do: "outcome", as, task: any, with: { ...options, ...timed } };
      case 8:
        return this.#roll(3) > 0
          ? { do: "next", as, ...this.#step(model) }
          : { do: "cancelAll", as, with: { by: inside.by } };
      case 9:
      case 10:
        return { do: "next", as, ...this.#step(model) };
      case 11:
        if (this.#roll(4) > 0)
          return { do: "idle", as, with: this.#roll(4) > 0 ? this.#lasting(model, undefined) : options };
        // Without `then`: its promise is settled some microtasks after its wait.
        return {
          do: "cancelAll",
          as,
          with:
            options.by === undefined
              ? this.#maybe(2, { via: "session" as const })
              : { by: options.by, via: this.#roll(5) === 0 ? "session" : (options.via ?? "ctx"), ...unread },
        };
      default: {
        const through = this.#maybe(8, { via: "session" as const });
        const until: Until = this.#pick(["all", "any", "any", "success", "failure", 1, 2]);
        const request = this.#maybe(3, { stopOnRequest: true as const });
        const rest = this.#maybe(2, { cancelRest: true as const });
        const awaited: AwaitOptions = {
          ...options,
          until,
          ...timed,
          ...request,
          ...rest,
          ...this.#foreign(model),
          ...through,
        };
        return { do: "awaitTasks", as, tasks: this.#tasks(model), with: awaited };
      }
    }
  }

  /** Sometimes through the context of another task, handed over. */
  #foreign(model: Model): { ctx?: string } {
    const ctx = this.#roll(9) === 0 ? this.#task(model, (task) => task.phase !== "unstarted") : undefined;
    return ctx === undefined ? {} : { ctx };
  }

  #step(model: Model): { readonly reader: string; readonly with: WaitOptions } {
    const [reader = "r", read] = this.#of([...model.readers]) ?? [];
    const { signal: _, ...caller } = read?.options ?? {};
    const { by } = caller;
    return { reader, with: { ...caller, ...(by === undefined ? {} : this.#maybe(4, { then: "return" as const })) } };
  }

  #answer(model: Model, any: string): PlainStep {
    const waits = [...model.waits.values()].filter(({ request }) => request !== undefined);
    const wait = this.#of(waits.slice(-4))?.name;
    if (wait === undefined) return { do: "advance", ms: this.#pick([5, 10]) };
    return this.#roll(5) === 0
      ? { do: "note", task: any, what: "post" }
      : { do: this.#pick(["answer", "reject"]), wait };
  }

  #thrown(model: Model): { error?: string } {
    const waits = [...model.waits.values()].filter(({ told }) => told?.isOk === false);
    const error = this.#roll(2) > 0 ? this.#of(waits)?.name : undefined;
    return error === undefined ? {} : { error };
  }

  #caller(model: Model): WaitOptions {
    const by = this.#roll(4) > 0 ? this.#task(model, (task) => task.phase === "open") : undefined;
    const signal = this.#maybe(8, { signal: this.#pick(["s1", "s2", "s3"]) });
    return by === undefined
      ? signal
      : { by, ...this.#maybe(3, { via: "manager" }), ...signal, ...this.#foreign(model) };
  }

  #lasting(model: Model, by: string | undefined): WaitOptions {
    const signal = this.#maybe(7, { signal: this.#pick(["s1", "s2", "s3"]) });
    if (this.#roll(6) === 0) return { ...signal, then: this.#calls(model, by) };
    return { ...signal, ...this.#maybe(10, { then: "return" as const }) };
  }

  /** What a function calls in its first line or after a wait, or a listener; `by` is the function. */
  #calls(model: Model, by: string | undefined): PlainStep[] {
    const calls: PlainStep[] = [];
    const inside = by === undefined ? {} : { by, ...this.#maybe(3, { via: "manager" as const }) };
    for (let left = 1 + this.#roll(2); left > 0; left--) {
      const any = this.#task(model, (task) => !task.isOver) ?? by ?? "a";
      const as = this.#name("w");
      const child = this.#name("");
      const made: readonly PlainStep[] = [
        { do: "spawn", task: child, with: { ...inside, body: this.#pick(["obeys", "deaf", "returns"] as const) } },
        { do: "spawn", task: child, with: { ...inside, body: "deaf" } },
        { do: "awaitTasks", as, tasks: [any, ...this.#tasks(model)], with: { ...inside, until: "any" } },
        { do: "awaitTasks", as, tasks: this.#tasks(model), with: { ...inside, cancelRest: true, until: "any" } },
        { do: "cancel", as, task: any, with: inside },
        { do: "result", as, task: any, with: { ...inside, then: "return" } },
        { do: "send", task: any },
        { do: "sleep", as, ms: this.#pick([0, 5, 10]), with: inside },
        { do: "sleep", as, ms: this.#pick([5, 10]), with: inside },
        { do: "ask", as, with: inside },
        { do: "receive", as, with: inside },
        this.#pick<PlainStep>([
          { do: "return", task: by ?? any },
          { do: "throw", task: any, with: {} },
          { do: "abort", signal: this.#pick(["s1", "s2"]) },
          { do: "cancelAll", as, with: { ...inside } },
          { do: "idle", as, with: inside },
        ]),
      ];
      calls.push(this.#pick(made));
    }
    return calls;
  }

  /** The newest ones more often. */
  #task(model: Model, fits: (task: ModelTask) => boolean): string | undefined {
    const names = [...model.tasks.values()].filter(fits).map(({ name }) => name);
    return this.#of(this.#roll(3) > 0 ? names.slice(-5) : names);
  }

  #tasks(model: Model): string[] {
    const some: string[] = [];
    for (let left = 1 + this.#roll(3); left > 0; left--) {
      const living = this.#roll(4) > 0;
      some.push(this.#task(model, (task) => !living || !task.isOver) ?? "");
    }
    return some.filter((name) => name !== "");
  }

  #name(prefix: string): string {
    const at = this.#named++;
    return prefix === "" ? letters(at) : `${prefix}${at}`;
  }

  #of<T>(list: readonly T[]): T | undefined {
    return list[this.#roll(Math.max(1, list.length))];
  }

  #pick<T>(list: readonly T[]): T {
    const picked = this.#of(list);
    if (picked === undefined) throw new Error("nothing to pick from");
    return picked;
  }

  /** Once in `sides`; `often`: all but once. */
  #maybe<T extends object>(sides: number, options: T, often = false): T | Record<string, never> {
    return (this.#roll(sides) === 0) === often ? {} : options;
  }
}

/** a, b, … z, a1, b1, … */
function letters(at: number): string {
  const round = Math.floor(at / 26);
  return `${String.fromCodePoint(97 + (at % 26))}${round === 0 ? "" : round}`;
}
