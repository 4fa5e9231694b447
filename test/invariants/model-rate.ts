// The model's rate: what starts of one lane, and when (L6 `perKey`, L7, L10).
//
// Every start is kept, and every window is summed up from all of them each time it is asked: slow, and easy to hold against the rules.
// Time goes from one instant at which anything can change to the next.

export interface Window {
  readonly limit: number;
  readonly periodMs: number;
  readonly unit: "starts" | "tokens";
}

export interface Bounds {
  readonly concurrency: number;
  readonly rate: readonly Window[];
  readonly keyConcurrency: number;
  readonly keyRate: readonly Window[];
}

export interface Job {
  readonly name: string;
  readonly key: string | undefined;
  readonly tokens: number;
  /** Its function waits to be ended. */
  readonly isLong: boolean;
  readonly arrived: number;
  state: "queued" | "granted" | "running" | "over";
  isStored: boolean;
}

interface Start {
  readonly job: Job;
  readonly at: number;
  /** What was reported, once something was. */
  reported: number | undefined;
}

export class RateModel {
  now = 0;
  bounds: Bounds;
  readonly jobs: Job[] = [];
  readonly starts: Start[] = [];
  readonly #isStoredAtOnce: boolean;
  /** Calls of functions that are to come. One of a job that was taken back calls it all the same, once that is granted again. */
  #calls: Job[] = [];
  /** Calls that wait for the commit of their own spawn (L9), in order. */
  #held: Job[] = [];
  /** Jobs that end by themselves, and have begun. */
  #ending: Job[] = [];
  /** Keys with jobs in line, in the order of their turns. */
  #keys: (string | undefined)[] = [];
  #pausedUntil = 0;

  constructor(bounds: Bounds, isStoredAtOnce: boolean) {
    this.bounds = bounds;
    this.#isStoredAtOnce = isStoredAtOnce;
  }

  // ── what a program does ──────────────────────────────────────────────────

  spawn(
    name: string,
    options: { readonly key: string | undefined; readonly tokens: number; readonly isLong: boolean },
  ): void {
    const job: Job = { name, ...options, arrived: this.jobs.length, state: "queued", isStored: this.#isStoredAtOnce };
    this.jobs.push(job);
    this.#stand(job);
    this.#promote();
  }

  cancel(name: string): void {
    const job = this.job(name);
    if (job?.state !== "queued" && job?.state !== "granted") return;
    job.state = "over";
    this.#keys = this.#keys.filter((key) => this.#line(key).length > 0);
    this.#promote();
  }

  end(name: string): void {
    const job = this.job(name);
    if (job?.state !== "running") return;
    job.state = "over";
    this.#promote();
  }

  report(name: string, tokens: number): void {
    const start = this.starts.find(({ job }) => job.name === name);
    if (start?.job.state !== "running") return;
    start.reported = (start.reported ?? 0) + tokens;
    this.#promote();
  }

  pause(untilAt: number): void {
    this.#pausedUntil = Math.max(untilAt, this.isPaused ? this.#pausedUntil : 0);
  }

  resume(): void {
    this.#pausedUntil = 0;
    this.#promote();
  }

  change(bounds: Bounds): void {
    for (const job of this.#granted) this.#stand(job);
    this.bounds = bounds;
    this.#promote();
  }

  /** The spawns of these jobs are stored. */
  stored(names: readonly string[]): void {
    for (const job of this.jobs) if (names.includes(job.name)) job.isStored = true;
    this.#calls.push(...this.#held.filter(({ isStored }) => isStored));
    this.#held = this.#held.filter(({ isStored }) => !isStored);
  }

  /** Whatever follows at this instant: functions are called, then those that end by themselves end, one after the other. */
  settle(): void {
    for (;;) {
      for (let job = this.#calls.shift(); job !== undefined; job = this.#calls.shift()) this.#call(job);
      const ended = this.#ending.shift();
      if (ended === undefined) return;
      ended.state = "over";
      this.#promote();
    }
  }

  #call(job: Job): void {
    if (job.state !== "granted") return;
    if (this.isPaused) this.#stand(job);
    else {
      job.state = "running";
      this.starts.push({ job, at: this.now, reported: undefined });
      if (!job.isLong) this.#ending.push(job);
    }
    this.#promote();
  }

  advance(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const at = this.#nextInstant();
      if (at > until) break;
      this.now = at;
      this.#promote();
      this.settle();
    }
    this.now = until;
    this.#promote();
    this.settle();
  }

  // ── what is so ───────────────────────────────────────────────────────────

  job(name: string): Job | undefined {
    return this.jobs.find((job) => job.name === name);
  }
  get queued(): number {
    return this.jobs.filter(({ state }) => state === "queued").length;
  }
  get isPaused(): boolean {
    return this.now < this.#pausedUntil;
  }

  /** What counts in `window` now, of all keys or of one. */
  used({ periodMs, unit }: Window, key?: { readonly is: string | undefined }): number {
    const isOf = (job: Job): boolean => key === undefined || job.key === key.is;
    const weight = ({ job, reported }: Start): number => (unit === "starts" ? 1 : (reported ?? job.tokens));
    const counting = this.starts.filter(({ at, job }) => at + periodMs > this.now && isOf(job));
    const granted = this.#granted.filter(isOf).map((job) => (unit === "starts" ? 1 : job.tokens));
    return [...counting.map(weight), ...granted].reduce((sum, each) => sum + each, 0);
  }

  // ── how it goes on ───────────────────────────────────────────────────────

  get #granted(): readonly Job[] {
    return this.jobs.filter(({ state }) => state === "granted");
  }

  #nextInstant(): number {
    const windows = [...this.bounds.rate, ...this.bounds.keyRate];
    const instants = this.starts.flatMap(({ at }) => windows.map(({ periodMs }) => at + periodMs));
    return Math.min(...[...instants, this.#pausedUntil].filter((at) => at > this.now));
  }

  #stand(job: Job): void {
    job.state = "queued";
    if (!this.#keys.includes(job.key)) this.#keys.push(job.key);
  }

  #line(key: string | undefined): readonly Job[] {
    return this.jobs.filter((job) => job.state === "queued" && job.key === key);
  }

  #promote(): void {
    for (;;) {
      const { concurrency, rate } = this.bounds;
      if (this.#count() >= concurrency || this.isPaused) return;
      const key = this.#keys.findIndex((each) => this.#isOpen(each));
      const job = key < 0 ? undefined : this.#line(this.#keys[key])[0];
      if (job === undefined || !rate.every((window) => this.#fits(window, job))) return;
      job.state = "granted";
      (job.isStored ? this.#calls : this.#held).push(job);
      this.#keys = this.#keys.filter((each) => each !== job.key);
      if (this.#line(job.key).length > 0) this.#keys.push(job.key);
    }
  }

  #count(key?: { readonly is: string | undefined }): number {
    const holds = ({ state }: Job): boolean => state === "granted" || state === "running";
    return this.jobs.filter((job) => holds(job) && (key === undefined || job.key === key.is)).length;
  }

  #isOpen(key: string | undefined): boolean {
    const [first] = this.#line(key);
    if (first === undefined || key === undefined) return first !== undefined;
    const { keyConcurrency, keyRate } = this.bounds;
    return (
      this.#count({ is: key }) < keyConcurrency && keyRate.every((window) => this.#fits(window, first, { is: key }))
    );
  }

  #fits(window: Window, job: Job, key?: { readonly is: string | undefined }): boolean {
    const weight = Math.min(window.unit === "starts" ? 1 : job.tokens, window.limit);
    return this.used(window, key) + weight <= window.limit;
  }
}
