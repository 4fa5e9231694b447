// Store errors: why a manager, its store, or what the store keeps, is not available (§12).

import { ErrandError } from "./errand-error.js";

/** The manager is closed, or closed before the call could end. */
export class ManagerClosedError extends ErrandError {
  /** Code of the error. */
  readonly code = "MANAGER_CLOSED";
  /** `refused` is a clause that says what the manager does not do. */
  constructor(refused: string) {
    super(`The manager is closed: ${refused}. Make this call before close(), or on another manager`);
  }
}

/** Another process has the store open, or this manager has lost its writer's place in the store. */
export class StoreLockedError extends ErrandError {
  /** Code of the error. */
  readonly code = "STORE_LOCKED";
  /** The process that has the store, when it is known. */
  readonly pid?: number;
  /** `lost` is a clause that says how a writer lost its place in a store that it had open. */
  constructor(store: string, holder: string, pid?: number, lost?: string) {
    super(
      lost === undefined
        ? `The store ${store} is open in ${holder}: close it there, or use another store`
        : `This manager has lost the store ${store}: ${lost}. It writes nothing further; close it, and open the store again`,
    );
    if (pid !== undefined) this.pid = pid;
  }
}

/** The store cannot be written, or read. A manager keeps what it could not write, and repeats the write. */
export class StoreUnavailableError extends ErrandError {
  /** Code of the error. */
  readonly code = "STORE_UNAVAILABLE";
  /** True: what was stored before is gone, so `append` works again only after a `compact`. */
  readonly needsSnapshot: boolean;
  constructor(why: string, options?: ErrorOptions & { needsSnapshot?: boolean }) {
    super(`The store is not available: ${why}`, options);
    this.needsSnapshot = options?.needsSnapshot ?? false;
  }
}

/**
 * The journal is broken at a place where no crash can have cut it off. Nothing was changed: repair the file, or move it
 * away.
 */
export class JournalCorruptError extends ErrandError {
  /** Code of the error. */
  readonly code = "JOURNAL_CORRUPT";
  /** The broken file. */
  readonly file: string;
  /** The broken line, from 1 on. */
  readonly line: number;
  /** Place of the first byte of that line, from 0 on. */
  readonly byte: number;
  /** The fault, without the place. */
  readonly why: string;
  constructor(file: string, line: number, byte: number, why: string, options?: ErrorOptions) {
    super(
      `The journal is broken at ${file}:${line}, byte ${byte}: ${why}. Nothing was changed: restore it from a copy, or move it away and begin a new one`,
      options,
    );
    this.file = file;
    this.line = line;
    this.byte = byte;
    this.why = why;
  }
}

/**
 * The task succeeded, and its stored output is missing or cannot be read. The rest of the task, and of the store, is
 * intact.
 */
export class OutputLostError extends ErrandError {
  /** Code of the error. */
  readonly code = "OUTPUT_LOST";
  /** The task whose output is lost. */
  readonly taskId: string;
  /** Place of the output: a file, or a row of a table. */
  readonly where: string;
  constructor(taskId: string, where: string, why: string, options?: ErrorOptions) {
    super(
      `The output of task ${taskId} is lost: ${where}: ${why}. Put it back and open the store again, or spawn the work again with another id`,
      options,
    );
    this.taskId = taskId;
    this.where = where;
  }
}

/** The event is older than the oldest event that is kept. */
export class EventsCompactedError extends ErrandError {
  /** Code of the error. */
  readonly code = "EVENTS_COMPACTED";
  /** The oldest `seq` that is kept: read again from there. */
  readonly oldest: number;
  constructor(from: number, oldest: number) {
    super(`Event ${from} is no longer kept: read again from ${oldest}, the oldest event that is kept`);
    this.oldest = oldest;
  }
}
