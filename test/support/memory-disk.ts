// A disk in memory that knows which bytes would survive. After a kill all written bytes survive. After a power failure
// the synced bytes survive, and a random part of the other sectors and names.

import path from "node:path";
import type { Disk } from "../../lib/stores/file/disk.js";
import { systemError } from "./faulty-disk.js";

const SECTOR = 512;

/** A file, which may have several names. */
interface Content {
  bytes: Buffer;
  durable: Buffer;
}

type Names = Map<string, Content>;

export class MemoryDisk implements Disk {
  readonly #names: Names;
  /** The names at the last sync of a directory, and the later changes to them. */
  readonly #durable: Names;
  #changes: ((names: Names) => void)[] = [];
  readonly #open = new Map<number, Content>();
  #fds = 0;
  readonly #ids = new WeakMap<Content, string>();
  #made = 0;

  constructor(names: Names = new Map()) {
    this.#names = names;
    this.#durable = new Map(names);
  }

  get(file: string): Buffer {
    return Buffer.from(this.#content(file).bytes);
  }

  set(file: string, bytes: Buffer): void {
    this.#names.set(file, { bytes: Buffer.from(bytes), durable: Buffer.from(bytes) });
  }

  /** Returns the files without locks. */
  files(): string[] {
    return [...this.#names.keys()].filter((file) => !path.basename(file).startsWith("lock.")).sort();
  }

  /** Returns the disk that a process killed now leaves. Its lock is that of a dead process. */
  afterKill(): MemoryDisk {
    return new MemoryDisk(new Map(this.files().map((file) => [file, copyOf(this.#content(file).bytes)])));
  }

  /** Returns the disk that a power failure leaves now. `random` returns numbers ≥ 0 and < 1. */
  afterPowerCut(random: () => number): MemoryDisk {
    const names = new Map(this.#durable);
    for (const change of this.#changes.slice(0, Math.floor(random() * (this.#changes.length + 1)))) change(names);
    const left: Names = new Map();
    for (const [file, content] of names) {
      if (!path.basename(file).startsWith("lock.")) left.set(file, copyOf(leftOf(content, random)));
    }
    return new MemoryDisk(left);
  }

  #content(file: string): Content {
    const content = this.#names.get(file);
    if (content === undefined) throw systemError("ENOENT");
    return content;
  }

  #of(fd: number): Content {
    const content = this.#open.get(fd);
    if (content === undefined) throw systemError("EBADF");
    return content;
  }

  #idOf(content: Content): string {
    const id = this.#ids.get(content) ?? `memory:${++this.#made}`;
    this.#ids.set(content, id);
    return id;
  }

  #change(change: (names: Names) => void): void {
    change(this.#names);
    this.#changes.push(change);
  }

  readonly open: Disk["open"] = async (file, how) => {
    if (how === "create" && this.#names.has(file)) throw systemError("EEXIST");
    if (how === "create" || (how === "replace" && !this.#names.has(file))) {
      const content: Content = { bytes: Buffer.alloc(0), durable: Buffer.alloc(0) };
      this.#change((names) => names.set(file, content));
    }
    const content = this.#content(file);
    if (how === "replace") content.bytes = Buffer.alloc(0);
    this.#open.set(++this.#fds, content);
    return this.#fds;
  };
  readonly read: Disk["read"] = async (fd, into, at) => {
    const bytes = this.#of(fd).bytes.subarray(at, at + into.length);
    into.set(bytes);
    return bytes.length;
  };
  readonly write: Disk["write"] = async (fd, bytes, at) => {
    const content = this.#of(fd);
    const grown = Buffer.alloc(Math.max(content.bytes.length, at + bytes.length));
    grown.set(content.bytes);
    grown.set(bytes, at);
    content.bytes = grown;
    return bytes.length;
  };
  readonly truncate: Disk["truncate"] = async (fd, length) => {
    const content = this.#of(fd);
    content.bytes = content.bytes.subarray(0, length);
  };
  readonly sync: Disk["sync"] = async (fd) => {
    const content = this.#of(fd);
    content.durable = content.bytes;
  };
  readonly close: Disk["close"] = async (fd) => {
    this.#of(fd);
    this.#open.delete(fd);
  };
  readonly links: Disk["links"] = (fd) => [...this.#names.values()].filter((each) => each === this.#of(fd)).length;
  readonly idOf: Disk["idOf"] = (fd) => this.#idOf(this.#of(fd));
  readonly idAt: Disk["idAt"] = (file) => {
    const content = this.#names.get(file);
    return content === undefined ? undefined : this.#idOf(content);
  };
  readonly list: Disk["list"] = async (directory) => {
    const prefix = `${directory}${path.sep}`;
    const below = [...this.#names.keys()].filter((file) => file.startsWith(prefix));
    return [...new Set(below.map((file) => file.slice(prefix.length).split(path.sep)[0] ?? ""))];
  };
  readonly modifiedAt: Disk["modifiedAt"] = async (file) => {
    this.#content(file);
    return 0;
  };
  readonly rename: Disk["rename"] = async (from, to) => {
    const content = this.#content(from);
    this.#change((names) => {
      names.delete(from);
      names.set(to, content);
    });
  };
  readonly remove: Disk["remove"] = async (file) => {
    this.#change((names) => names.delete(file));
  };
  /** Does nothing: every directory exists on this disk. */
  readonly makeDirectory: Disk["makeDirectory"] = async () => undefined;
  /** Does nothing: this disk has one user. */
  readonly makePrivate: Disk["makePrivate"] = async () => undefined;
  readonly realPath: Disk["realPath"] = async (directory) => directory;
  readonly syncDirectory: Disk["syncDirectory"] = async () => {
    for (const change of this.#changes) change(this.#durable);
    this.#changes = [];
  };
}

function copyOf(bytes: Buffer): Content {
  return { bytes: Buffer.from(bytes), durable: Buffer.from(bytes) };
}

/** Writes each changed sector, or not, by chance. The length is the old one, the new one, or between. */
function leftOf({ bytes, durable }: Content, random: () => number): Buffer {
  if (bytes === durable) return bytes;
  const length = Math.round(durable.length + random() * (bytes.length - durable.length));
  const left = Buffer.alloc([durable.length, bytes.length, length][Math.floor(random() * 3)] ?? 0);
  for (let at = 0; at < left.length; at += SECTOR) {
    const from = random() < 0.5 ? bytes : durable;
    left.set(from.subarray(at, Math.min(at + SECTOR, left.length)), at);
  }
  return left;
}
