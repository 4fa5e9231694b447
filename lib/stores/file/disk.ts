// Disk: the port to the file system. A test can use another disk that is full, that fails, or that stops the process at
// any operation.
//
// An operation that resolves has been done. An operation may reject with a system error; errand reads only the `code`
// `ENOENT` of it. Files that errand makes or opens for writing can be used by their owner only, whatever the umask
// (D3).
// The functions with callbacks are used instead of `FileHandle`: a layer between a program and its files (Yarn PnP) may
// have a `FileHandle` without `sync`.

import fs from "node:fs";
import path from "node:path";
import { fieldOf } from "../../core/values/safe-read.js";

/**
 * The way to open a file. `change` requires that the file exists, `create` requires that it does not exist, `replace`
 * makes or empties the file.
 */
export type OpenFor = "read" | "change" | "create" | "replace";

/** The operations of the file store on the disk. Offsets and lengths are in bytes. */
export interface Disk {
  /** Opens a file and resolves with its descriptor. A file that is opened for writing gets the mode 0600. */
  open(file: string, how: OpenFor): Promise<number>;
  /**
   * Reads into `into` from the offset `at`. Resolves with the number of bytes that were read; 0 is the end of the file.
   */
  read(fd: number, into: Uint8Array, at: number): Promise<number>;
  /** Writes `bytes` at the offset `at`. Resolves with the number of bytes that were written, which may be smaller. */
  write(fd: number, bytes: Uint8Array, at: number): Promise<number>;
  /** Cuts the file to `length` bytes. */
  truncate(fd: number, length: number): Promise<void>;
  /** Resolves when the written bytes survive a power failure. */
  sync(fd: number): Promise<void>;
  /** Closes the descriptor. */
  close(fd: number): Promise<void>;
  /**
   * Returns the number of names of the open file; 0 means that the file was deleted. Each append calls this, so it does
   * not wait for a thread.
   */
  links(fd: number): number;
  /**
   * Returns the identity of the open file, `<file system>:<number>`. No other file has this identity while the file is
   * open.
   */
  idOf(fd: number): string;
  /**
   * Returns the identity of the file or directory with this name; `undefined` if there is none. Each append calls this
   * too.
   */
  idAt(file: string): string | undefined;
  /** Resolves with the names in a directory, in no particular order. */
  list(directory: string): Promise<readonly string[]>;
  /** Resolves with the time of the last change, by the clock of the file system, in epoch milliseconds. */
  modifiedAt(file: string): Promise<number>;
  /** Renames a file and replaces the file `to`, if there is one. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file. A missing file is not an error. */
  remove(file: string): Promise<void>;
  /**
   * Makes the directory for its owner only, and makes missing parents with the default mode. Resolves with the topmost
   * directory that was made; `undefined` if all of them existed.
   */
  makeDirectory(directory: string): Promise<string | undefined>;
  /** Removes the permissions of the group and of other users from an existing file or directory. */
  makePrivate(file: string): Promise<void>;
  /** Resolves with the path without symbolic links. */
  realPath(directory: string): Promise<string>;
  /** Resolves when the names in the directory survive a power failure. */
  syncDirectory(directory: string): Promise<void>;
}

/** A named pipe in the place of a file is refused when it is read, and is not waited for. Windows has no such flag. */
const READ = fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0);
const FLAGS: Readonly<Record<OpenFor, string | number>> = { read: READ, change: "r+", create: "wx", replace: "w" };
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const OTHERS_PERMISSIONS = 0o077;

/** The disk of this machine, by `node:fs`. */
export const nodeDisk: Disk = {
  async open(file, how) {
    const fd = await callbackResult<number>((done) => fs.open(file, FLAGS[how], FILE_MODE, done));
    // An existing file keeps its mode when it is opened, and the umask removes bits from the mode of a new file.
    if (how !== "read") await ignoreModeErrors((done) => fs.fchmod(fd, FILE_MODE, done));
    return fd;
  },
  read: (fd, into, at) => callbackResult((done) => fs.read(fd, into, 0, into.length, at, done)),
  write: (fd, bytes, at) => callbackResult((done) => fs.write(fd, bytes, 0, bytes.length, at, done)),
  truncate: (fd, length) => callbackResult((done) => fs.ftruncate(fd, length, withoutResult(done))),
  sync: (fd) => callbackResult((done) => fs.fdatasync(fd, withoutResult(done))),
  close: (fd) => callbackResult((done) => fs.close(fd, withoutResult(done))),
  links: (fd) => fs.fstatSync(fd).nlink,
  idOf: (fd) => idIn(fs.fstatSync(fd, { bigint: true })),
  idAt(file) {
    const stats = fs.statSync(file, { bigint: true, throwIfNoEntry: false });
    return stats === undefined ? undefined : idIn(stats);
  },
  list: (directory) => callbackResult((done) => fs.readdir(directory, done)),
  modifiedAt: async (file) => (await callbackResult<fs.Stats>((done) => fs.stat(file, done))).mtimeMs,
  rename: (from, to) => callbackResult((done) => fs.rename(from, to, withoutResult(done))),
  async remove(file) {
    try {
      await callbackResult<void>((done) => fs.unlink(file, withoutResult(done)));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  },
  async makeDirectory(directory) {
    const above = await makeDirectories(path.dirname(directory), undefined);
    const made = await makeDirectories(directory, DIRECTORY_MODE);
    if (made !== undefined) await ignoreModeErrors((done) => fs.chmod(directory, DIRECTORY_MODE, done));
    return above ?? made;
  },
  async makePrivate(file) {
    const { mode } = await callbackResult<fs.Stats>((done) => fs.stat(file, done));
    if ((mode & OTHERS_PERMISSIONS) === 0) return;
    await ignoreModeErrors((done) => fs.chmod(file, mode & 0o777 & ~OTHERS_PERMISSIONS, done));
  },
  realPath: (directory) => callbackResult((done) => fs.realpath(directory, done)),
  async syncDirectory(directory) {
    // Windows cannot open a directory, and stores the names in it without a request.
    if (process.platform === "win32") return;
    const fd = await callbackResult<number>((done) => fs.open(directory, "r", done));
    try {
      await callbackResult<void>((done) => fs.fsync(fd, withoutResult(done)));
    } finally {
      await callbackResult<void>((done) => fs.close(fd, withoutResult(done)));
    }
  },
};

type Done<T> = (error: Error | null, value: T) => void;

function callbackResult<T>(call: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => (error === null ? resolve(value) : reject(error)));
  });
}

/** Adapts a callback without a result: Node calls it with `null`, or without an argument. */
function withoutResult(done: Done<void>): (error?: Error | null) => void {
  return (error) => done(error ?? null, undefined);
}

/** Ignores the error of a file system without modes, or of another user's file. The mode stays as it is. */
async function ignoreModeErrors(call: (done: (error?: Error | null) => void) => void): Promise<void> {
  await callbackResult<void>((done) => call(withoutResult(done))).catch(() => undefined);
}

function makeDirectories(directory: string, mode: number | undefined): Promise<string | undefined> {
  return callbackResult((done) => fs.mkdir(directory, { recursive: true, mode }, done));
}

/** Joins the two numbers of a file. On a file system without file numbers, all files have the same identity. */
function idIn({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string {
  return `${dev}:${ino}`;
}

/** Returns whether the error means that the file, or its directory, does not exist. */
export function isMissing(error: unknown): boolean {
  return fieldOf(error, "code") === "ENOENT";
}

/** Ignores the error that the file, or its directory, does not exist. */
export function ignoreMissing(error: unknown): void {
  if (!isMissing(error)) throw error;
}

/** The open file has no name any longer, or its directory does not exist: both were deleted. */
export class DeletedError extends Error {
  /** The same code as that of the system error for a missing file. */
  readonly code = "ENOENT";
}

/**
 * Writes all of `bytes`. A file system that is nearly full may write some of them, and reports the reason at the next
 * write.
 */
export async function writeAll(disk: Disk, fd: number, bytes: Uint8Array, at: number): Promise<void> {
  let written = await disk.write(fd, bytes, at);
  while (written < bytes.length) {
    const more = await disk.write(fd, bytes.subarray(written), at + written);
    if (more === 0) throw new Error(`${written} of ${bytes.length} bytes were written, and then no more`);
    written += more;
  }
}

/** Makes the directory and its missing parents. Resolves when all of them survive a power failure. */
export async function makeDurableDirectory(disk: Disk, directory: string): Promise<void> {
  const wanted = path.resolve(directory);
  const topmost = await disk.makeDirectory(wanted);
  if (topmost === undefined) return;
  for (let made = wanted; made.length >= topmost.length; made = path.dirname(made)) {
    await disk.syncDirectory(path.dirname(made));
    if (made === path.dirname(made)) return;
  }
}
