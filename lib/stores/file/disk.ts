// Disk: the few things the file store asks of a file system, so that a test can fill the disk, break it, or die at any of them.
//
// What a call reports as done it has done; it may fail with a system error, whose `code` is looked at for `ENOENT` alone.

import fs from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";

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
  /** The names in a directory, in no order. */
  list(directory: string): Promise<readonly string[]>;
  /** By the clock of the file system, in milliseconds. */
  modifiedAt(file: string): Promise<number>;
  rename(from: string, to: string): Promise<void>;
  /** What isn't there is no error. */
  remove(file: string): Promise<void>;
  /** With those above it. Gives the topmost one that was made; `undefined` when all were there. */
  makeDirectory(directory: string): Promise<string | undefined>;
  /** Resolves when the names in it survive a power cut. */
  syncDirectory(directory: string): Promise<void>;
}

const FLAGS: Readonly<Record<OpenFor, string>> = { read: "r", change: "r+", create: "wx", replace: "w" };

export const nodeDisk: Disk = {
  open: (file, how) => called((done) => fs.open(file, FLAGS[how], done)),
  read: (fd, into, at) => called((done) => fs.read(fd, into, 0, into.length, at, done)),
  write: (fd, bytes, at) => called((done) => fs.write(fd, bytes, 0, bytes.length, at, done)),
  truncate: (fd, length) => called((done) => fs.ftruncate(fd, length, (error) => done(error, undefined))),
  sync: (fd) => called((done) => fs.fdatasync(fd, (error) => done(error, undefined))),
  close: (fd) => called((done) => fs.close(fd, (error) => done(error ?? null, undefined))),
  links: (fd) => fs.fstatSync(fd).nlink,
  list: (directory) => readdir(directory),
  modifiedAt: async (file) => (await stat(file)).mtimeMs,
  rename: (from, to) => rename(from, to),
  remove: (file) => rm(file, { force: true }),
  makeDirectory: (directory) => mkdir(directory, { recursive: true }),
  async syncDirectory(directory) {
    // Windows opens no directory, and keeps names by itself.
    if (process.platform === "win32") return;
    const handle = await open(directory, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

function called<T>(call: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => (error === null ? resolve(value) : reject(error)));
  });
}

/** The file, or the directory that it should be in, is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
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
