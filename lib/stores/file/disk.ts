// Disk: the few things the file store asks of a file system, so that a test can fill the disk, break it, or die at any of them.
//
// What a call reports as done it has done; it may fail with a system error, whose `code` is looked at for `ENOENT` alone.
// D3: what it makes, or opens to write, belongs to its owner alone, whatever the umask.
// Calls with a callback, and no `FileHandle`: what stands between a program and its files (Yarn PnP) may have none that can sync.

import fs from "node:fs";
import path from "node:path";
import { fieldOf } from "../../core/values/safe-read.js";

/** `change` wants the file to be there, `create` wants it not to be there, `replace` begins it anew. */
export type OpenFor = "read" | "change" | "create" | "replace";

export interface Disk {
  open(file: string, how: OpenFor): Promise<number>;
  /** How many bytes there were; 0 is the end of the file. */
  read(fd: number, into: Uint8Array, at: number): Promise<number>;
  /** How many were written, maybe fewer than were given. */
  write(fd: number, bytes: Uint8Array, at: number): Promise<number>;
  truncate(fd: number, length: number): Promise<void>;
  /** Resolves when what was written survives a power cut. */
  sync(fd: number): Promise<void>;
  close(fd: number): Promise<void>;
  /** How many names the open file has: 0 when it was deleted. Asked at each append, so it does not wait for a thread. */
  links(fd: number): number;
  /** Which file it is, `<file system>:<number>`: no other file has the same while it is open. */
  idOf(fd: number): string;
  /** Which file, or directory, has that name; `undefined` when there is none. Asked at each append too. */
  idAt(file: string): string | undefined;
  /** The names in a directory, in no order. */
  list(directory: string): Promise<readonly string[]>;
  /** By the clock of the file system, in milliseconds. */
  modifiedAt(file: string): Promise<number>;
  rename(from: string, to: string): Promise<void>;
  /** What isn't there is no error. */
  remove(file: string): Promise<void>;
  /** Makes the directory and those above it, which any user may read. Gives the topmost one that was made; `undefined` when all were there. */
  makeDirectory(directory: string): Promise<string | undefined>;
  /** Takes what others may do with a file or directory that is there. */
  makePrivate(file: string): Promise<void>;
  /** The path without symbolic links. */
  realPath(directory: string): Promise<string>;
  /** Resolves when the names in it survive a power cut. */
  syncDirectory(directory: string): Promise<void>;
}

const FLAGS: Readonly<Record<OpenFor, string>> = { read: "r", change: "r+", create: "wx", replace: "w" };
const OWNERS_FILE = 0o600;
const OWNERS_DIRECTORY = 0o700;
const ANYBODY_ELSE = 0o077;

export const nodeDisk: Disk = {
  async open(file, how) {
    const fd = await called<number>((done) => fs.open(file, FLAGS[how], OWNERS_FILE, done));
    // A file that was there keeps its mode when it is opened, and the umask takes bits from one that is made.
    if (how !== "read") await whereThereAreModes((done) => fs.fchmod(fd, OWNERS_FILE, done));
    return fd;
  },
  read: (fd, into, at) => called((done) => fs.read(fd, into, 0, into.length, at, done)),
  write: (fd, bytes, at) => called((done) => fs.write(fd, bytes, 0, bytes.length, at, done)),
  truncate: (fd, length) => called((done) => fs.ftruncate(fd, length, voided(done))),
  sync: (fd) => called((done) => fs.fdatasync(fd, voided(done))),
  close: (fd) => called((done) => fs.close(fd, voided(done))),
  links: (fd) => fs.fstatSync(fd).nlink,
  idOf: (fd) => idIn(fs.fstatSync(fd, { bigint: true })),
  idAt(file) {
    const stats = fs.statSync(file, { bigint: true, throwIfNoEntry: false });
    return stats === undefined ? undefined : idIn(stats);
  },
  list: (directory) => called((done) => fs.readdir(directory, done)),
  modifiedAt: async (file) => (await called<fs.Stats>((done) => fs.stat(file, done))).mtimeMs,
  rename: (from, to) => called((done) => fs.rename(from, to, voided(done))),
  async remove(file) {
    try {
      await called<void>((done) => fs.unlink(file, voided(done)));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  },
  async makeDirectory(directory) {
    const above = await makeDirectories(path.dirname(directory), undefined);
    const made = await makeDirectories(directory, OWNERS_DIRECTORY);
    if (made !== undefined) await whereThereAreModes((done) => fs.chmod(directory, OWNERS_DIRECTORY, done));
    return above ?? made;
  },
  async makePrivate(file) {
    const { mode } = await called<fs.Stats>((done) => fs.stat(file, done));
    if ((mode & ANYBODY_ELSE) === 0) return;
    await whereThereAreModes((done) => fs.chmod(file, mode & 0o777 & ~ANYBODY_ELSE, done));
  },
  realPath: (directory) => called((done) => fs.realpath(directory, done)),
  async syncDirectory(directory) {
    // Windows opens no directory, and keeps names by itself.
    if (process.platform === "win32") return;
    const fd = await called<number>((done) => fs.open(directory, "r", done));
    try {
      await called<void>((done) => fs.fsync(fd, voided(done)));
    } finally {
      await called<void>((done) => fs.close(fd, voided(done)));
    }
  },
};

type Done<T> = (error: Error | null, value: T) => void;

function called<T>(call: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => (error === null ? resolve(value) : reject(error)));
  });
}

/** The callback of a call that gives nothing: it receives `null`, or nothing at all. */
function voided(done: Done<void>): (error?: Error | null) => void {
  return (error) => done(error ?? null, undefined);
}

/** A file system without modes, and a file of another user that this one may write, refuse: they stay as they are. */
async function whereThereAreModes(call: (done: (error?: Error | null) => void) => void): Promise<void> {
  await called<void>((done) => call(voided(done))).catch(() => undefined);
}

function makeDirectories(directory: string, mode: number | undefined): Promise<string | undefined> {
  return called((done) => fs.mkdir(directory, { recursive: true, mode }, done));
}

/** Where a file system has no numbers, all files have one. */
function idIn({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string {
  return `${dev}:${ino}`;
}

/** The file, or the directory that it should be in, is not there. */
export function isMissing(error: unknown): boolean {
  return fieldOf(error, "code") === "ENOENT";
}

/** The file is open and has lost its name, or the directory is gone: both were deleted. */
export class DeletedError extends Error {
  readonly code = "ENOENT";
}

/** Writes all of `bytes`: a file system that is nearly full takes some, and says why at the next try. */
export async function writeAll(disk: Disk, fd: number, bytes: Uint8Array, at: number): Promise<void> {
  let written = await disk.write(fd, bytes, at);
  while (written < bytes.length) {
    const more = await disk.write(fd, bytes.subarray(written), at + written);
    if (more === 0) throw new Error(`${written} of ${bytes.length} bytes were written, and then no more`);
    written += more;
  }
}

/** The directory, and each one made above it, also after a power cut. */
export async function makeDurableDirectory(disk: Disk, directory: string): Promise<void> {
  const wanted = path.resolve(directory);
  const topmost = await disk.makeDirectory(wanted);
  if (topmost === undefined) return;
  for (let made = wanted; made.length >= topmost.length; made = path.dirname(made)) {
    await disk.syncDirectory(path.dirname(made));
    if (made === path.dirname(made)) return;
  }
}
