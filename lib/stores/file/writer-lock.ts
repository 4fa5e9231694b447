// Writer lock: one process writes a directory (D3).
//
// Announce, then look: each contender makes a lock file of its own, with a name nobody else has, and then lists the others. Who sees one
// of a living owner takes its own away and has lost. Whoever announces later sees the one who won, so there are never two winners;
// two at the same instant may both lose. No file is ever taken over, so none can be taken from a living owner.

import path from "node:path";
import { StoreLockedError } from "../../core/errors.js";
import type { Runtime } from "../../core/record.js";
import { type Disk, isMissing, writeAll } from "./disk.js";
import { isAlive, LOCK, lockName, type Owner, ownerOf, thisProcess } from "./owner.js";

/** How often an owner gives a sign of life, for those who cannot see its process. */
const TOUCH_MS = 5_000;
/** After so long a silence such an owner is dead. */
const SILENT_MS = 60_000;
/** Two who lost to each other try again at different times. */
const PAUSE_MS = 50;

export class WriterLock {
  readonly #disk: Disk;
  readonly #file: string;
  readonly #fd: number;
  readonly #timer: NodeJS.Timeout;
  /** The newest sign of life: the file is not closed while it is being written, since the number of a closed file is soon another's. */
  #touched: Promise<unknown> = Promise.resolve();

  private constructor(disk: Disk, file: string, fd: number, sign: Uint8Array) {
    this.#disk = disk;
    this.#file = file;
    this.#fd = fd;
    // Written, not set: the time of it is by the clock of the file system, which all contenders share.
    this.#timer = setInterval(() => {
      const before = this.#touched;
      this.#touched = disk.write(fd, sign, 0).then(
        () => before,
        () => before,
      );
    }, TOUCH_MS);
    this.#timer.unref();
  }

  /** `StoreLockedError` when a living process has it. The directory is there. */
  static async take(disk: Disk, directory: string, writer: Runtime): Promise<WriterLock> {
    try {
      return await WriterLock.#announce(disk, directory, writer);
    } catch (error) {
      if (!(error instanceof StoreLockedError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * PAUSE_MS));
      return WriterLock.#announce(disk, directory, writer);
    }
  }

  static async #announce(disk: Disk, directory: string, { instanceId, pid, startedAt }: Runtime): Promise<WriterLock> {
    const file = path.join(directory, lockName(thisProcess()));
    const sign = Buffer.from(`${JSON.stringify({ instanceId, pid, startedAt })}\n`);
    const fd = await disk.open(file, "create");
    try {
      await writeAll(disk, fd, sign, 0);
      const holder = await findHolder(disk, directory, file);
      if (holder !== undefined) throw new StoreLockedError(directory, holder.words, holder.pid);
      return new WriterLock(disk, file, fd, sign);
    } catch (error) {
      await giveUp(disk, file, fd);
      throw error;
    }
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#touched;
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

/** A living owner that is not `own`. Without `own`, one who only looks. The files of the dead go, unless one only looks. */
export async function findHolder(disk: Disk, directory: string, own?: string): Promise<Holder | undefined> {
  for (const name of await disk.list(directory)) {
    const file = path.join(directory, name);
    if (!name.startsWith(LOCK) || file === own) continue;
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
  own: string | undefined,
): Promise<Holder | undefined> {
  const alive = owner === undefined ? undefined : isAlive(owner);
  if (alive === false) return undefined;
  if (owner !== undefined && alive === true) {
    const isOurs = owner.pid === process.pid;
    return { words: isOurs ? "this process" : `process ${owner.pid}`, pid: owner.pid };
  }
  const silentMs = await silence(disk, file, own);
  if (silentMs === undefined || silentMs > SILENT_MS) return undefined;
  const seconds = Math.round(Math.max(0, silentMs) / 1000);
  return { words: `a process of another machine, container or boot, which gave a sign of life ${seconds} s ago` };
}

/** `undefined`: it is gone. */
async function silence(disk: Disk, file: string, own: string | undefined): Promise<number | undefined> {
  try {
    const then = await disk.modifiedAt(file);
    const now = own === undefined ? Date.now() : await disk.modifiedAt(own);
    return now - then;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
