// Logger: the logger of a user, its checks, and the guard around each call (§12).
//
// An error of a logger, or a promise of it, changes nothing in errand. A line is delivered in a microtask, outside any
// task, never inside the call that wrote it: a logger may call errand. Lines are delivered once in each macrotask:
// lines that were caused by delivered lines wait for the next one, so a logger that causes lines cannot freeze the
// process.

import { checkMethod, checkType } from "./checks.js";
import { ignore } from "./handled.js";
import { platformTimers } from "./node.js";
import { runOutside } from "./outside.js";

/**
 * A logger for faults that no caller waits for. `warn` and `error` are required; errand calls no other method.
 * `console` is a logger. Each line is a message and, when there is more to say, one object with fields (an `error`, for
 * example). A logger that takes the fields first (pino) needs a wrapper of one line to show them. errand ignores what a
 * method throws or rejects with.
 */
export interface Logger {
  /** Not called by errand. */
  debug?(message: string, fields?: object): void;
  /** Not called by errand. */
  info?(message: string, fields?: object): void;
  /** Reports a fault that errand handles, such as a function of an option that failed. */
  warn(message: string, fields?: object): void;
  /** Reports a fault that errand cannot handle, such as a listener that failed. */
  error(message: string, fields?: object): void;
}

/** The levels that errand calls. */
const LEVELS = ["warn", "error"] as const;
type Level = (typeof LEVELS)[number];

/** Checks a logger. A `TypeError` names a method that is missing, or that is no function. */
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

/** A logger that never throws into its caller. */
export class GuardedLogger {
  readonly #logger: Logger | undefined;
  #lines: Line[] = [];
  /** Whether lines were delivered in this macrotask. */
  #isResting = false;

  /** Without a logger, every line is dropped. */
  constructor(logger: Logger | undefined) {
    this.#logger = logger;
  }

  /** Whether there is a logger. */
  get isHeard(): boolean {
    return this.#logger !== undefined;
  }

  /** Delivers all lines now, at the end of a close or of the process, when no macrotask may come. */
  flush(): void {
    if (this.#lines.length > 0) this.#deliver();
  }

  /** Writes a line at the level `warn`. */
  warn(message: string, fields?: object): void {
    this.#add({ level: "warn", message, fields });
  }

  /** Writes a line at the level `error`. */
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
      if (!this.#isResting) platformTimers.setImmediate(this.#wake);
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
      // Called as a method, because most loggers need their `this`. The port says `void`; many return a promise.
      const answer: unknown = fields === undefined ? logger?.[level](message) : logger?.[level](message, fields);
      if ((typeof answer === "object" && answer !== null) || typeof answer === "function")
        Promise.resolve(answer).then(ignore, ignore);
    } catch {
      // The error has no other place to go.
    }
  }
}

const RESOLVED = Promise.resolve();
