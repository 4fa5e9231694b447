// A disk that fails where a test says so. The test sees each operation first, and can make it fail, write less, or
// wait.

import path from "node:path";
import { type Disk, nodeDisk } from "../../lib/stores/file/disk.js";

/** An operation of the disk, and its file. */
export interface Asked {
  readonly what: keyof Disk;
  /** The name of the file without its directory. */
  readonly file: string;
}

/** Throws to fail the operation, returns the number of bytes that a write takes, or returns a promise to wait for. */
export type Fault = (asked: Asked) => undefined | number | Promise<undefined | number>;

export class FaultyDisk implements Disk {
  /** All operations so far. */
  readonly asked: Asked[] = [];
  /** The function that is called before each operation. */
  fault: Fault = () => undefined;
  readonly #files = new Map<number, string>();

  /** The number of open files. */
  get openFiles(): number {
    return this.#files.size;
  }

  async #ask(what: keyof Disk, file: string): Promise<number | undefined> {
    const asked = { what, file: path.basename(file) };
    this.asked.push(asked);
    return this.fault(asked);
  }

  #file(fd: number): string {
    return this.#files.get(fd) ?? "?";
  }

  readonly open: Disk["open"] = async (file, how) => {
    await this.#ask("open", file);
    const fd = await nodeDisk.open(file, how);
    this.#files.set(fd, file);
    return fd;
  };
  readonly read: Disk["read"] = async (fd, into, at) => {
    await this.#ask("read", this.#file(fd));
    return nodeDisk.read(fd, into, at);
  };
  readonly write: Disk["write"] = async (fd, bytes, at) => {
    const length = await this.#ask("write", this.#file(fd));
    return nodeDisk.write(fd, length === undefined ? bytes : bytes.subarray(0, length), at);
  };
  readonly truncate: Disk["truncate"] = async (fd, length) => {
    await this.#ask("truncate", this.#file(fd));
    return nodeDisk.truncate(fd, length);
  };
  readonly sync: Disk["sync"] = async (fd) => {
    await this.#ask("sync", this.#file(fd));
    return nodeDisk.sync(fd);
  };
  readonly close: Disk["close"] = async (fd) => {
    await this.#ask("close", this.#file(fd));
    this.#files.delete(fd);
    return nodeDisk.close(fd);
  };
  readonly links: Disk["links"] = (fd) => nodeDisk.links(fd);
  readonly idOf: Disk["idOf"] = (fd) => nodeDisk.idOf(fd);
  readonly idAt: Disk["idAt"] = (file) => nodeDisk.idAt(file);
  readonly list: Disk["list"] = async (directory) => {
    await this.#ask("list", directory);
    return nodeDisk.list(directory);
  };
  readonly modifiedAt: Disk["modifiedAt"] = async (file) => {
    await this.#ask("modifiedAt", file);
    return nodeDisk.modifiedAt(file);
  };
  readonly rename: Disk["rename"] = async (from, to) => {
    await this.#ask("rename", to);
    return nodeDisk.rename(from, to);
  };
  readonly remove: Disk["remove"] = async (file) => {
    await this.#ask("remove", file);
    return nodeDisk.remove(file);
  };
  readonly makeDirectory: Disk["makeDirectory"] = async (directory) => {
    await this.#ask("makeDirectory", directory);
    return nodeDisk.makeDirectory(directory);
  };
  readonly makePrivate: Disk["makePrivate"] = async (file) => {
    await this.#ask("makePrivate", file);
    return nodeDisk.makePrivate(file);
  };
  readonly realPath: Disk["realPath"] = async (directory) => {
    await this.#ask("realPath", directory);
    return nodeDisk.realPath(directory);
  };
  readonly syncDirectory: Disk["syncDirectory"] = async (directory) => {
    await this.#ask("syncDirectory", directory);
    return nodeDisk.syncDirectory(directory);
  };
}

export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: said the test`), { code });
}

/** Fails the first operation `what` on a file with this name, and no later one. */
export function once(what: keyof Disk, file: RegExp, code: string): Fault {
  let isOver = false;
  return (asked) => {
    if (isOver || asked.what !== what || !file.test(asked.file)) return undefined;
    isOver = true;
    throw systemError(code);
  };
}
