// Killing disk: the real one, on which a process kills itself at one point.

import { statSync, writeSync } from "node:fs";
import path from "node:path";
import { type Disk, nodeDisk, type OpenFor } from "../../lib/stores/file/disk.js";
import { type Point, type Sort, sortOf } from "./points.js";

export interface Death {
  readonly point: Point;
  /** At which of the times that it comes there, from 1 on. */
  readonly time: number;
}

interface OpenFile {
  readonly file: string;
  /** A header is one until its file was synced. */
  isHeader: boolean;
}

export class KillingDisk implements Disk {
  readonly #death: Death | undefined;
  readonly #onHalf: (file: string, size: number) => void;
  readonly #files = new Map<number, OpenFile>();
  readonly #ownLocks = new Set<string>();
  #times = 0;

  /** `onHalf` hears of half a write that was done, and then the process dies. */
  constructor(death: Death | undefined, onHalf: (file: string, size: number) => void) {
    this.#death = death;
    this.#onHalf = onHalf;
  }

  /** Whether to die here; each call counts. */
  #isDue(what: Point["what"], sort: Sort): boolean {
    const point = this.#death?.point;
    return point?.what === what && point.sort === sort && ++this.#times === this.#death?.time;
  }

  async #at<T>(what: Point["what"], sort: Sort, call: () => Promise<T>): Promise<T> {
    const isDue = this.#isDue(what, sort);
    if (isDue && this.#death?.point.when === "before") die();
    const value = await call();
    if (isDue) die();
    return value;
  }

  #sortOf(fd: number): Sort {
    const open = this.#files.get(fd);
    if (open === undefined) return "root";
    return open.isHeader ? "header" : sortOf(open.file, this.#ownLocks);
  }

  async open(file: string, how: OpenFor): Promise<number> {
    const base = path.basename(file);
    const isHeader = how === "create" && base.startsWith("events.");
    if (how === "create" && base.startsWith("lock.")) this.#ownLocks.add(file);
    const open = async (): Promise<number> => {
      const fd = await nodeDisk.open(file, how);
      this.#files.set(fd, { file, isHeader });
      return fd;
    };
    if (how === "read") return open();
    return this.#at("open", isHeader ? "header" : sortOf(file, this.#ownLocks), open);
  }

  read(fd: number, into: Uint8Array, at: number): Promise<number> {
    return nodeDisk.read(fd, into, at);
  }

  async write(fd: number, bytes: Uint8Array, at: number): Promise<number> {
    const isDue = this.#isDue("write", this.#sortOf(fd));
    const when = this.#death?.point.when;
    if (isDue && when === "before") die();
    if (isDue && when === "half") {
      const size = Math.max(1, bytes.length >> 1);
      writeSync(fd, bytes, 0, size, at);
      this.#onHalf(this.#files.get(fd)?.file ?? "", at + size);
      die();
    }
    const written = await nodeDisk.write(fd, bytes, at);
    if (isDue) die();
    return written;
  }

  truncate(fd: number, length: number): Promise<void> {
    return this.#at("truncate", this.#sortOf(fd), () => nodeDisk.truncate(fd, length));
  }

  async sync(fd: number): Promise<void> {
    await this.#at("sync", this.#sortOf(fd), () => nodeDisk.sync(fd));
    const open = this.#files.get(fd);
    if (open !== undefined) open.isHeader = false;
  }

  close(fd: number): Promise<void> {
    this.#files.delete(fd);
    return nodeDisk.close(fd);
  }

  links(fd: number): number {
    return nodeDisk.links(fd);
  }

  idOf(fd: number): string {
    return nodeDisk.idOf(fd);
  }

  idAt(file: string): string | undefined {
    return nodeDisk.idAt(file);
  }

  list(directory: string): Promise<readonly string[]> {
    return nodeDisk.list(directory);
  }

  modifiedAt(file: string): Promise<number> {
    return nodeDisk.modifiedAt(file);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#at("rename", sortOf(to, this.#ownLocks), () => nodeDisk.rename(from, to));
  }

  remove(file: string): Promise<void> {
    return this.#at("remove", this.#sortOfRemoved(file), () => nodeDisk.remove(file));
  }

  #sortOfRemoved(file: string): Sort {
    if (file.endsWith(".tmp")) return "debris";
    const sort = sortOf(file, this.#ownLocks);
    return sort === "segment" && statSync(file).size < HEADER ? "header" : sort;
  }

  makeDirectory(directory: string): Promise<string | undefined> {
    return this.#at("makeDirectory", sortOf(directory, this.#ownLocks), () => nodeDisk.makeDirectory(directory));
  }

  makePrivate(file: string): Promise<void> {
    return nodeDisk.makePrivate(file);
  }

  realPath(directory: string): Promise<string> {
    return nodeDisk.realPath(directory);
  }

  syncDirectory(directory: string): Promise<void> {
    return this.#at("syncDirectory", sortOf(directory, this.#ownLocks), () => nodeDisk.syncDirectory(directory));
  }
}

/** A segment that a crash left without a whole header is shorter than one. */
const HEADER = 63;

function die(): never {
  process.kill(process.pid, "SIGKILL");
  throw new Error("It is dead");
}
