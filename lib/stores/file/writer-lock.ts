// Writer lock: only one process writes a directory (D3).
//
// Each process first makes a lock file with a unique name, and then lists the others. If it finds the lock of a living
// owner, it removes its own file and has lost. A process that comes later sees the winner's file, so there are never
// two winners; two processes at the same instant may both lose. No process takes over a file, so no living owner loses
// its lock.
//
// A lock is valid only at the path where it was made. The writer checks that its own file is still there. If the file
// was missing once, the lock is lost for good, because another writer may have come and gone. A copy of a lock locks
// nothing.

import path from "node:path";
import { performance } from "node:perf_hooks";
import { StoreLockedError } from "../../core/task/errors.js";
import type { Runtime } from "../../core/task/record.js";
import { outsidePause, outsideTimers } from "../../core/time/outside-time.js";
import { type Disk, isMissing, writeAll } from "./disk.js";
import { isCopy, mayBeCopy, RELEASED_SIGN, readSign, signOf } from "./lock-sign.js";
import { isAlive, LOCK, lockName, type Owner, ownerOf, thisProcess } from "./owner.js";

/** The intervals of the signs of life, in milliseconds. */
export interface Rhythm {
  /** The interval at which an owner writes a sign of life, for processes that cannot see its pid. */
  readonly touchMs: number;
  /** The silence after which such an owner counts as dead. */
  readonly silentMs: number;
}

const RHYTHM: Rhythm = { touchMs: 5_000, silentMs: 60_000 };
/** The upper limit of a random delay, after which one of two processes that lost to each other tries again. */
const PAUSE_MS = 50;
/** The interval at which a lock is checked for a new sign of life. */
const LOOK_MS = 100;

/** The lock of this process on a directory. */
export class WriterLock {
  readonly #disk: Disk;
  readonly #file: string;
  readonly #fd: number;
  /** The identity of the lock file, whatever name it has now. */
  readonly #id: string;
  readonly #timer: NodeJS.Timeout;
  #isLost = false;
  #isReleased = false;
  /**
   * The newest write of a sign of life. The file is closed only after it: the system soon reuses the number of a closed
   * file.
   */
  #touched: Promise<unknown> = Promise.resolve();

  private constructor(disk: Disk, file: string, fd: number, sign: Uint8Array, { touchMs }: Rhythm) {
    this.#disk = disk;
    this.#file = file;
    this.#fd = fd;
    this.#id = disk.idOf(fd);
    this.#timer = outsideTimers.setInterval(() => this.#touch(sign), touchMs);
    this.#timer.unref();
  }

  /**
   * Writes the sign again. The write itself sets the time of the file, by the clock of the file system that all
   * processes share.
   */
  #touch(sign: Uint8Array): void {
    const before = this.#touched;
    this.#touched = this.#disk.write(this.#fd, sign, 0).then(
      () => before,
      () => before,
    );
    try {
      void this.isHeld;
    } catch {
      // The next write checks the lock again if the disk refuses now.
    }
  }

  /**
   * Whether the lock file is at its path. After it was missing once, the value stays false. Throws the error of the
   * disk (D3).
   */
  get isHeld(): boolean {
    this.#isLost ||= this.#isReleased || this.#disk.idAt(this.#file) !== this.#id;
    return !this.#isLost;
  }

  /** Whether the lock file was deleted. A file that was moved, alone or with its directory, was not deleted. */
  get isDeleted(): boolean {
    return !this.#isReleased && this.#disk.links(this.#fd) === 0;
  }

  /** Takes the lock. The directory must exist. `StoreLockedError` if a living process holds it. */
  static async take(disk: Disk, directory: string, writer: Runtime, rhythm = RHYTHM): Promise<WriterLock> {
    try {
      return await WriterLock.#announce(disk, directory, writer, rhythm);
    } catch (error) {
      if (!(error instanceof StoreLockedError)) throw error;
      await outsidePause(Math.random() * PAUSE_MS);
      return WriterLock.#announce(disk, directory, writer, rhythm);
    }
  }

  static async #announce(disk: Disk, directory: string, writer: Runtime, rhythm: Rhythm): Promise<WriterLock> {
    const file = path.join(directory, lockName(thisProcess()));
    const fd = await disk.open(file, "create");
    try {
      const sign = signOf(writer, disk.idOf(fd));
      await writeAll(disk, fd, sign, 0);
      const holder = await findHolder(disk, directory, { file, rhythm });
      if (holder !== undefined) throw new StoreLockedError(directory, holder.description, holder.pid);
      return new WriterLock(disk, file, fd, sign, rhythm);
    } catch (error) {
      await giveUp(disk, file, fd);
      throw error;
    }
  }

  /**
   * Releases the lock. If the directory was moved, the file stays in it, marked as released. A second call has no
   * further effect.
   */
  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    outsideTimers.clearInterval(this.#timer);
    await this.#touched;
    await this.#disk.write(this.#fd, RELEASED_SIGN, 0).catch(() => undefined);
    await giveUp(this.#disk, this.#file, this.#fd);
  }
}

async function giveUp(disk: Disk, file: string, fd: number): Promise<void> {
  await disk.close(fd).catch(() => undefined);
  await disk.remove(file);
}

interface Holder {
  readonly description: string;
  readonly pid?: number;
}

/** A process that has made its lock file. */
interface Contender {
  readonly file: string;
  readonly rhythm: Rhythm;
}

/**
 * Finds a living owner other than `own`. Without `own` the function only reads; with `own` it removes the locks of dead
 * owners.
 */
export async function findHolder(disk: Disk, directory: string, own?: Contender): Promise<Holder | undefined> {
  for (const name of await disk.list(directory)) {
    const file = path.join(directory, name);
    if (!name.startsWith(LOCK) || file === own?.file) continue;
    const holder = await holderOf(disk, file, ownerOf(name), own);
    if (holder !== undefined) return holder;
    if (own !== undefined) await disk.remove(file);
  }
  return undefined;
}

async function holderOf(
  disk: Disk,
  file: string,
  owner: Owner | undefined,
  own: Contender | undefined,
): Promise<Holder | undefined> {
  const alive = owner === undefined ? undefined : isAlive(owner);
  if (alive === false) return undefined;
  const sign = await readSign(disk, file);
  if (sign.isReleased) return undefined;
  if (owner !== undefined && alive === true) {
    if (isCopy(sign)) return undefined;
    const isOurs = owner.pid === process.pid;
    return { description: isOurs ? "this process" : `process ${owner.pid}`, pid: owner.pid };
  }
  const { touchMs, silentMs } = own?.rhythm ?? RHYTHM;
  const silence = await silenceOf(disk, file, own?.file);
  if (silence === undefined || silence > silentMs) return undefined;
  // A date in the future, or the date of a possible copy, proves nothing: a living owner gives another sign (D3).
  const isDated = silence >= -touchMs && !mayBeCopy(sign);
  if (!isDated && (own === undefined || !(await givesSign(disk, file, 1.5 * touchMs)))) return undefined;
  const seconds = isDated ? Math.round(Math.max(0, silence) / 1000) : 0;
  return { description: `a process of another machine, container or boot, which gave a sign of life ${seconds} s ago` };
}

/** Returns the time since the owner's last sign of life, in milliseconds; `undefined` if the file is gone. */
async function silenceOf(disk: Disk, file: string, own: string | undefined): Promise<number | undefined> {
  const then = await modifiedAt(disk, file);
  if (then === undefined) return undefined;
  const now = own === undefined ? Date.now() : await disk.modifiedAt(own);
  return now - then;
}

/** Waits up to `ms` for a new sign of life. */
async function givesSign(disk: Disk, file: string, ms: number): Promise<boolean> {
  const before = await modifiedAt(disk, file);
  const until = performance.now() + ms;
  for (let now = before; now !== undefined; now = await modifiedAt(disk, file)) {
    if (now !== before) return true;
    if (performance.now() > until) return false;
    await outsidePause(Math.min(LOOK_MS, ms));
  }
  return false;
}

/** Returns the time of the file's last change; `undefined` if the file is gone. */
async function modifiedAt(disk: Disk, file: string): Promise<number | undefined> {
  try {
    return await disk.modifiedAt(file);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
