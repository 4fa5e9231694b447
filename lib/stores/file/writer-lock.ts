// Writer lock: one process writes a directory (D3).
//
// Announce, then look: each contender makes a lock file of its own, with a name nobody else has, and then lists the others. Who sees one
// of a living owner takes its own away and has lost. Whoever announces later sees the one who won, so there are never two winners;
// two at the same instant may both lose. No file is ever taken over, so none can be taken from a living owner.
//
// A lock counts in the place where it was made. The writer asks whether its own is still there, and one that once was not is lost for good:
// another writer may have come, and gone, meanwhile. A copy of a lock is none.

import path from "node:path";
import { performance } from "node:perf_hooks";
import { StoreLockedError } from "../../core/task/errors.js";
import type { Runtime } from "../../core/task/record.js";
import { outsidePause, outsideTimers } from "../../core/time/outside-time.js";
import { type Disk, isMissing, writeAll } from "./disk.js";
import { isCopy, mayBeCopy, RELEASED_SIGN, readSign, signOf } from "./lock-sign.js";
import { isAlive, LOCK, lockName, type Owner, ownerOf, thisProcess } from "./owner.js";

export interface Rhythm {
  /** How often an owner gives a sign of life, for those who cannot see its process. */
  readonly touchMs: number;
  /** After so long a silence such an owner is dead. */
  readonly silentMs: number;
}

const RHYTHM: Rhythm = { touchMs: 5_000, silentMs: 60_000 };
/** Two who lost to each other try again at different times. */
const PAUSE_MS = 50;
/** How often a lock is looked at while its owner is to give a sign of life. */
const LOOK_MS = 100;

export class WriterLock {
  readonly #disk: Disk;
  readonly #file: string;
  readonly #fd: number;
  /** Which file it is, whatever has its name. */
  readonly #id: string;
  readonly #timer: NodeJS.Timeout;
  #isLost = false;
  #isReleased = false;
  /** The newest sign of life: the file is not closed while it is being written, since the number of a closed file is soon another's. */
  #touched: Promise<unknown> = Promise.resolve();

  private constructor(disk: Disk, file: string, fd: number, sign: Uint8Array, { touchMs }: Rhythm) {
    this.#disk = disk;
    this.#file = file;
    this.#fd = fd;
    this.#id = disk.idOf(fd);
    this.#timer = outsideTimers.setInterval(() => this.#touch(sign), touchMs);
    this.#timer.unref();
  }

  /** Written, not set: the time of it is by the clock of the file system, which all contenders share. */
  #touch(sign: Uint8Array): void {
    const before = this.#touched;
    this.#touched = this.#disk.write(this.#fd, sign, 0).then(
      () => before,
      () => before,
    );
    try {
      void this.isHeld;
    } catch {
      // A disk that says nothing now is asked again at the next write.
    }
  }

  /** Whether the lock is where it was made; once it was not, never again (D3). Throws what the disk says. */
  get isHeld(): boolean {
    this.#isLost ||= this.#isReleased || this.#disk.idAt(this.#file) !== this.#id;
    return !this.#isLost;
  }

  /** Whether the file was deleted: it was not moved, alone or with its directory. */
  get isDeleted(): boolean {
    return !this.#isReleased && this.#disk.links(this.#fd) === 0;
  }

  /** `StoreLockedError` when a living process has it. The directory is there. */
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
      if (holder !== undefined) throw new StoreLockedError(directory, holder.words, holder.pid);
      return new WriterLock(disk, file, fd, sign, rhythm);
    } catch (error) {
      await giveUp(disk, file, fd);
      throw error;
    }
  }

  /** Where the directory was moved, the file stays in it, and says that it locks nothing. Calling it twice has no further effect. */
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
  readonly words: string;
  readonly pid?: number;
}

/** One that has announced itself. */
interface Contender {
  readonly file: string;
  readonly rhythm: Rhythm;
}

/** A living owner that is not `own`. Without `own`, one who only looks. The files of the dead go, unless one only looks. */
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
    return { words: isOurs ? "this process" : `process ${owner.pid}`, pid: owner.pid };
  }
  const { touchMs, silentMs } = own?.rhythm ?? RHYTHM;
  const silence = await silenceOf(disk, file, own?.file);
  if (silence === undefined || silence > silentMs) return undefined;
  // A date that is still to come, and the date of what may be a copy, say nothing: whoever lives gives another sign (D3).
  const isDated = silence >= -touchMs && !mayBeCopy(sign);
  if (!isDated && (own === undefined || !(await givesSign(disk, file, 1.5 * touchMs)))) return undefined;
  const seconds = isDated ? Math.round(Math.max(0, silence) / 1000) : 0;
  return { words: `a process of another machine, container or boot, which gave a sign of life ${seconds} s ago` };
}

/** How long ago its owner gave a sign of life, in milliseconds. `undefined`: it is gone. */
async function silenceOf(disk: Disk, file: string, own: string | undefined): Promise<number | undefined> {
  const then = await modifiedAt(disk, file);
  if (then === undefined) return undefined;
  const now = own === undefined ? Date.now() : await disk.modifiedAt(own);
  return now - then;
}

/** Waits for one, for so long. */
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

/** `undefined`: it is gone. */
async function modifiedAt(disk: Disk, file: string): Promise<number | undefined> {
  try {
    return await disk.modifiedAt(file);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
