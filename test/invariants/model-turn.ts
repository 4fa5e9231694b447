// Model turn: what runs when: calls at once, deliveries in one queue after them, and the code of functions and listeners in between.
//
// §2: a call decides and delivers nothing; what follows stands in one FIFO that a microtask drains. Code that hears of a delivery
// runs a microtask later, and what it calls decides at once again.

import type { PlainStep } from "./steps.js";

export abstract class ModelTurn {
  /** What was told so far, in order. */
  readonly facts: string[] = [];
  /** Calls made by functions and listeners of the program, with what each was answered; those that could not be made are not here. */
  readonly nested = new Map<PlainStep, string>();
  readonly #deliveries: (() => void)[] = [];
  readonly #jobs: (() => void)[] = [];
  readonly #later: (() => void)[] = [];
  #hearers: { readonly fact: string; readonly from: number; readonly calls: readonly PlainStep[] }[] = [];
  #isScheduled = false;
  #isDraining = false;

  abstract play(step: PlainStep): string | undefined;

  /** Runs everything that can run without time. */
  rest(): void {
    for (let run = this.#next(); run !== undefined; run = this.#next()) run();
  }

  #next(): (() => void) | undefined {
    return this.#jobs.shift() ?? this.#later.shift();
  }

  /** Makes calls in the middle of a turn. */
  protected perform(calls: readonly PlainStep[]): void {
    for (const call of calls) {
      const answer = this.play(call);
      if (answer !== undefined) this.nested.set(call, answer);
    }
  }

  protected deliver(run: () => void): void {
    this.#deliveries.push(run);
    if (this.#isScheduled || this.#isDraining) return;
    this.#isScheduled = true;
    this.soon(() => this.drain());
  }

  protected drain(): void {
    if (this.#isDraining) return;
    this.#isScheduled = false;
    this.#isDraining = true;
    for (let run = this.#deliveries.shift(); run !== undefined; run = this.#deliveries.shift()) run();
    this.#isDraining = false;
  }

  /** In a microtask. */
  protected soon(run: () => void): void {
    this.#jobs.push(run);
  }

  /** In a later macrotask. */
  protected afterwards(run: () => void): void {
    this.#later.push(run);
  }

  protected fact(text: string): void {
    const at = this.facts.push(text) - 1;
    this.deliver(() => {
      for (const hearer of this.#hearers.filter(({ fact, from }) => at >= from && text.startsWith(`${fact} `))) {
        this.#hearers = this.#hearers.filter((each) => each !== hearer);
        this.perform(hearer.calls);
      }
    });
  }

  /** Once, from now on. */
  protected hear(fact: string, calls: readonly PlainStep[]): void {
    this.#hearers.push({ fact, from: this.facts.length, calls });
  }
}
