// Program: a program written out by hand, or pasted from a failed proof: `const p = program({ concurrency: 1 }); await p.spawn("a");`.
//
// Every verb plays one step on the model and the manager (play.ts) and rejects when they disagree; `together` plays several calls in one turn.

import type { Model } from "./model.js";
import { Play } from "./play.js";
import type {
  AskOptions,
  AwaitOptions,
  HeardFact,
  Note,
  PlainStep,
  Program,
  Rules,
  SpawnOptions,
  Step,
  WaitOptions,
} from "./steps.js";

/** One verb for each step; `say` gets the step. Arguments stand in the order in which a step names them. */
function verbs<R>(say: (step: PlainStep) => R) {
  return {
    spawn: (task: string, options: SpawnOptions = {}) => say({ do: "spawn", task, with: options }),
    return: (task: string) => say({ do: "return", task }),
    throw: (task: string, options: { error?: string } = {}) => say({ do: "throw", task, with: options }),
    sleep: (as: string, ms: number, options: WaitOptions) => say({ do: "sleep", as, ms, with: options }),
    ask: (as: string, options: AskOptions) => say({ do: "ask", as, with: options }),
    receive: (as: string, options: WaitOptions & { timeoutMs?: number }) => say({ do: "receive", as, with: options }),
    awaitTasks: (as: string, tasks: readonly string[], options: AwaitOptions = {}) =>
      say({ do: "awaitTasks", as, tasks, with: options }),
    result: (as: string, task: string, options: WaitOptions = {}) => say({ do: "result", as, task, with: options }),
    outcome: (as: string, task: string, options: WaitOptions & { timeoutMs?: number } = {}) =>
      say({ do: "outcome", as, task, with: options }),
    cancel: (as: string, task: string, options: WaitOptions & { reason?: string } = {}) =>
      say({ do: "cancel", as, task, with: options }),
    cancelAll: (as: string, options: WaitOptions = {}) => say({ do: "cancelAll", as, with: options }),
    outcomes: (reader: string, tasks: readonly string[], options: WaitOptions = {}) =>
      say({ do: "outcomes", reader, tasks, with: options }),
    next: (as: string, reader: string, options: WaitOptions = {}) => say({ do: "next", as, reader, with: options }),
    leave: (reader: string) => say({ do: "leave", reader }),
    idle: (as: string, options: WaitOptions = {}) => say({ do: "idle", as, with: options }),
    answer: (wait: string) => say({ do: "answer", wait }),
    reject: (wait: string) => say({ do: "reject", wait }),
    send: (task: string) => say({ do: "send", task }),
    note: (task: string, what: Note) => say({ do: "note", task, what }),
    abort: (signal: string) => say({ do: "abort", signal }),
    on: (fact: HeardFact, calls: readonly PlainStep[]) => say({ do: "on", fact, calls }),
    pause: (lane: string) => say({ do: "pause", lane }),
    resume: (lane: string) => say({ do: "resume", lane }),
    advance: (ms: number) => say({ do: "advance", ms }),
    close: (graceMs: number) => say({ do: "close", graceMs }),
  } satisfies { [K in PlainStep["do"]]: (...args: never[]) => R };
}

export function program(rules: Rules = {}, model?: Model) {
  const play = new Play(rules, model);
  const step = async (next: Step): Promise<void> => {
    if (!(await play.step(next))) throw new Error(`${next.do} has nothing to do here: ${JSON.stringify(next)}`);
  };
  const together = (calls: (q: ReturnType<typeof verbs<PlainStep>>) => readonly PlainStep[]): Promise<void> =>
    step({ do: "together", steps: calls(verbs((each) => each)) });
  return { ...verbs(step), together, play };
}

/** The program as text that can be pasted into a test. */
export function printed({ rules, steps }: Program): string {
  const lines = steps.map((step) =>
    step.do === "together"
      ? `await p.together((q) => [\n${step.steps.map((each) => `  ${callOf("q", each)},\n`).join("")}]);`
      : `await ${callOf("p", step)};`,
  );
  return [`const p = program(${literal(rules)});`, ...lines].join("\n");
}

function callOf(receiver: string, step: PlainStep): string {
  const { do: verb, ...args } = step;
  const given = Object.entries(args).filter(([name, value]) => name !== "with" || Object.keys(value).length > 0);
  return `${receiver}.${verb}(${given.map(([, value]) => literal(value)).join(", ")})`;
}

function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, field]) => `${name}: ${literal(field)}`);
  return fields.length === 0 ? "{}" : `{ ${fields.join(", ")} }`;
}
