// Play: one program on the model and on a real manager, side by side.
//
// After every step, when everything is quiet, both must say the same and every law must hold; else `play` stops with a `Disagreement`.
// A step that the model has no use for (its task was never spawned, its signal is aborted already) is left out on both sides.

import { differencesOf } from "./compare.js";
import { AT_EVERY_EVENT, WHEN_QUIET } from "./laws.js";
import { Model } from "./model.js";
import { Puppets } from "./puppets.js";
import type { PlainStep, Rules, Step } from "./steps.js";
import { Told } from "./told.js";

/** What differs or is broken, one line each. */
export class Disagreement extends Error {
  readonly lines: readonly string[];
  constructor(lines: readonly string[]) {
    super(lines.join("\n"));
    this.lines = lines;
  }
}

const rejections: unknown[] = [];

/** While `run` runs, a rejection nobody handled is a disagreement of the step after which it came (C5). */
export async function watchingRejections<T>(run: () => Promise<T>): Promise<T> {
  const note = (error: unknown): void => void rejections.push(error);
  process.on("unhandledRejection", note);
  try {
    return await run();
  } finally {
    process.off("unhandledRejection", note);
    rejections.length = 0;
  }
}

/** A request is not kept longer than its task's record (D6). */
function isForgotten(expected: string, given: string): boolean {
  return expected === "ALREADY_ANSWERED" && given === "REQUEST_NOT_FOUND";
}

interface Answer {
  readonly call: PlainStep;
  readonly expected: string;
  readonly given: () => string;
}

export class Play {
  readonly rules: Rules;
  readonly model: Model;
  readonly puppets: Puppets;
  /** What was played, without what was left out. */
  readonly played: Step[] = [];
  readonly #told = new Told();
  #answers: Answer[] = [];
  #made = 0;
  #heard = 0;

  constructor(rules: Rules, model: Model = new Model(rules)) {
    this.rules = rules;
    this.model = model;
    this.puppets = new Puppets(rules, (calls) => this.#nested(calls));
  }

  /** Plays a step on both sides. False when it was left out. */
  async step(step: Step): Promise<boolean> {
    const calls = step.do === "together" ? step.steps : [step];
    const played: PlainStep[] = [];
    this.#answers = [];
    for (const call of calls) {
      const expected = this.model.play(call);
      if (expected === undefined) continue;
      played.push(call);
      if (call.do === "advance") await this.puppets.clock.advance(call.ms);
      else this.#call(call, expected);
    }
    if (played.length === 0) return false;
    const [only] = played;
    this.played.push(only !== undefined && played.length === 1 ? only : { do: "together", steps: played });
    this.model.rest();
    await this.puppets.quiet();
    const lines = this.#answers
      .filter(({ expected, given }) => expected !== given() && !isForgotten(expected, given()))
      .map(({ call, expected, given }) => `${call.do}: the model says "${expected}", the manager "${given()}"`);
    if (this.#made !== this.model.nested.size) lines.push("functions and listeners did not make the same calls");
    lines.push(...rejections.splice(0).map((error) => `C5 unhandledRejection: ${String(error)}`));
    lines.push(...this.#laws(), ...differencesOf(this.model, this.puppets));
    if (lines.length > 0) throw new Disagreement(lines);
    return true;
  }

  #call(call: PlainStep, expected: string): void {
    this.#answers.push({ call, expected, given: this.puppets.play(call, (wait) => this.#requestOf(wait)) });
  }

  /** The model has played the whole turn before the manager begins it: it knows what these calls are answered. */
  #nested(calls: readonly PlainStep[]): void {
    for (const call of calls) {
      const expected = this.model.nested.get(call);
      if (expected === undefined) continue;
      this.#made++;
      this.#call(call, expected);
    }
  }

  #requestOf(wait: string): string {
    const request = this.model.waits.get(wait)?.request;
    return `request_${request === undefined ? 0 : this.model.requests.indexOf(request) + 1}`;
  }

  #laws(): string[] {
    const { rules, puppets } = this;
    const told = this.#told;
    const broken: string[] = [];
    for (const event of puppets.told.slice(this.#heard)) {
      const moment = { rules, told, event, before: told.tasks.get(event.taskId), previousSeq: told.seq };
      told.take(event);
      for (const [law, breach] of Object.entries(AT_EVERY_EVENT)) {
        const words = breach(moment);
        if (words !== undefined) broken.push(`${law}: ${words} (${event.type} of ${puppets.name(event.taskId)})`);
      }
    }
    this.#heard = puppets.told.length;
    const quiet = { rules, told, manager: puppets.manager, records: puppets.manager.list() };
    for (const [law, breach] of Object.entries(WHEN_QUIET)) {
      const words = breach(quiet);
      if (words !== undefined) broken.push(`${law}: ${words}`);
    }
    return broken;
  }
}
