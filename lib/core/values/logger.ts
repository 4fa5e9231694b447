// Logger: the one way to the user's logger (§12).
//
// Owns the port, its check, and the guard around each call: what a logger throws, rejects with, or never settles changes nothing in errand.
// A line is delivered in a microtask, outside any task, never inside the call that wrote it: a logger may call errand. Lines are delivered once
// in each macrotask: those that the delivered lines caused wait for the next one, so a logger that causes lines cannot freeze the process.

import { setImmediate } from "node:timers";
import { checkMethod, checkType } from "./checks.js";
import { ignore } from "./handled.js";
import { runOutside } from "./outside.js";

/**
 * Where errand reports faults for which no caller waits: `warn` and `error` are required, errand calls no other method. `console` is a logger.
 * Each line is a message and, where there is more to say, one object with fields (an `error`, for example). A logger that takes the fields first
 * (pino) needs a wrapper of one line to show them. What a method throws or rejects with is ignored.
 */
export interface Logger {
  debug?(message: string, fields?: object): void;
  info?(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}

/** The levels that errand calls. */
const LEVELS = ["warn", "error"] as const;
type Level = (typeof LEVELS)[number];

/** `TypeError`: a method that errand calls is missing, or one of the others is no function. */
export function checkLogger(logger: object | undefined): void {
  if (logger === undefined) return;
  if (typeof logger !== "function") checkType("logger", logger, "object");
  for (const level of LEVELS) checkMethod("logger", logger, level);
  for (const level of ["debug", "info"] as const)
    if (Reflect.get(logger, level) !== undefined) checkMethod("logger", logger, level);
}

interface Line {
  readonly level: Level;
  readonly message: string;
  readonly fields: object | undefined;
}

export class GuardedLogger {
  readonly #logger: Logger | undefined;
  #lines: Line[] = [];
  /** Lines were delivered in this macrotask. */
  #isResting = false;

  /** Every line is dropped when there is no logger. */
  constructor(logger: Logger | undefined) {
    this.#logger = logger;
  }

  /** Whether a line is delivered anywhere. */
  get isHeard(): boolean {
    return this.#logger !== undefined;
  }

  /** Delivers what there is now, at the end of a close or of the process: no macrotask may come. */
  flush(): void {
    if (this.#lines.length > 0) this.#deliver();
  }

  warn(message: string, fields?: object): void {
    this.#add({ level: "warn", message, fields });
  }

  error(message: string, fields?: object): void {
    this.#add({ level: "error", message, fields });
  }

  #add(line: Line): void {
    if (this.#logger === undefined) return;
    if (this.#lines.push(line) === 1 && !this.#isResting) void RESOLVED.then(this.#deliver);
  }

  readonly #deliver = (): void => {
    const lines = this.#lines;
    this.#lines = [];
    runOutside(() => {
      if (!this.#isResting) setImmediate(this.#wake);
      this.#isResting = true;
      for (const line of lines) this.#say(line);
    });
  };

  readonly #wake = (): void => {
    this.#isResting = false;
    if (this.#lines.length > 0) this.#deliver();
  };

  #say({ level, message, fields }: Line): void {
    try {
      const logger: Logger | undefined = this.#logger;
      // Called as a method: most loggers need their `this`. `void` is what the port says; many return a promise.
      const answer: unknown = fields === undefined ? logger?.[level](message) : logger?.[level](message, fields);
      if ((typeof answer === "object" && answer !== null) || typeof answer === "function")
        Promise.resolve(answer).then(ignore, ignore);
    } catch {
      // Nothing is left to report it to.
    }
  }
}

const RESOLVED = Promise.resolve();
