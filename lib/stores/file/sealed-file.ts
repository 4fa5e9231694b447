// Sealed file: one JSON value in a file of its own, whole or not at all.
//
// The first line says what it is, the value follows, and a mark over all of it closes the object: a person reads it with any JSON tool. It is
// written beside its place, made durable, and then put there under its name, so that a crash at any point leaves the old one or the new.

import { constants } from "node:buffer";
import path from "node:path";
import { crc32 } from "node:zlib";
import { JournalCorruptError } from "../../core/task/errors.js";
import type { Json } from "../../core/values/json.js";
import { fieldOf, readText } from "../../core/values/safe-read.js";
import { isMarked, MARK_LENGTH, markOf } from "./checksum.js";
import { type Disk, isMissing, writeAll } from "./disk.js";
import { jsonPieces } from "./json-pieces.js";

const VERSION = 1;
const PIECE = 64 * 1024;
/** How much is read at once. */
const CHUNK = 64 * 1024;

export interface Sealed {
  /** What it is, and the name of the field with the value. */
  readonly what: string;
  /** What the first line says beside it. */
  readonly about: { readonly [key: string]: Json };
  readonly value: Json;
}

/** The file is whole, as far as this version can say, and another version made it. */
export class OtherVersionError extends JournalCorruptError {
  override get name(): string {
    return "JournalCorruptError";
  }
}

/** The name under which one is being written; a crash may leave it. */
export const UNFINISHED = ".tmp";

/** `written` makes the name of what is being written its own. `mayPut` is asked last, and throws when it must not be put there. */
export async function writeSealed(
  disk: Disk,
  file: string,
  sealed: Sealed,
  mayPut: () => void,
  written = "",
): Promise<void> {
  const unfinished = `${file}${written}${UNFINISHED}`;
  const fd = await disk.open(unfinished, "replace");
  try {
    try {
      let at = 0;
      for (const bytes of bytesOf(sealed)) {
        await writeAll(disk, fd, bytes, at);
        at += bytes.length;
        // A longer one could be written, but never be read: it is read as one text.
        if (at > constants.MAX_STRING_LENGTH) throw new RangeError(`${file} would be longer than a text can be`);
      }
      await disk.sync(fd);
    } finally {
      await disk.close(fd);
    }
    mayPut();
    await disk.rename(unfinished, file);
  } catch (error) {
    await disk.remove(unfinished).catch(() => undefined);
    throw error;
  }
  await disk.syncDirectory(path.dirname(file));
}

function* bytesOf({ what, about, value }: Sealed): Generator<Buffer, void, undefined> {
  let crc = 0;
  let text = `${JSON.stringify({ errand: what, version: VERSION, ...about }).slice(0, -1)},${JSON.stringify(what)}:\n`;
  for (const piece of jsonPieces(value)) {
    text += piece;
    if (text.length < PIECE) continue;
    const bytes = Buffer.from(text);
    text = "";
    crc = crc32(bytes, crc);
    yield bytes;
  }
  const last = Buffer.from(`${text}\n`);
  yield Buffer.concat([last, Buffer.from(markOf(crc32(last, crc)))]);
}

/** The content of a sealed file, or `undefined` when there is no file. `JournalCorruptError` when it is not whole, or cannot be read. */
export async function readSealed(
  disk: Disk,
  file: string,
  what: string,
): Promise<{ readonly [key: string]: Json } | undefined> {
  const bytes = await readFile(disk, file);
  if (bytes === undefined) return undefined;
  if (bytes.length === 0) throw new JournalCorruptError(file, 1, 0, "the file is empty");
  if (bytes.length > constants.MAX_STRING_LENGTH)
    throw new JournalCorruptError(file, 1, 0, "the file is longer than a text can be");
  const text = bytes.toString("utf8");
  const version = /^{"errand":"(\w+)","version":(\d+),/.exec(text);
  if (version === null || version[1] !== what) throw new JournalCorruptError(file, 1, 0, `this is no ${what}`);
  if (Number(version[2]) !== VERSION)
    throw new OtherVersionError(file, 1, 0, `a ${what} of version ${version[2]}; this errand reads version ${VERSION}`);
  const end = bytes.length - 1;
  if (bytes[end] !== "\n".charCodeAt(0) || !isMarked(bytes, end))
    throw new JournalCorruptError(file, 1, 0, "what stands in it is not what its checksum says");
  const value: unknown = JSON.parse(`${text.slice(0, -1 - MARK_LENGTH)}}`);
  if (!isObject(value)) throw new JournalCorruptError(file, 1, 0, `this is no ${what}`);
  return value;
}

/** What JSON.parse gives is JSON. */
function isObject(value: unknown): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Errors of the process, and not of a file: the same file may be read later. */
const SHORTAGES: ReadonlySet<unknown> = new Set(["EMFILE", "ENFILE", "ENOMEM", "EAGAIN", "EINTR"]);

/** `undefined`: there is none. A file that the disk refuses is as good as one that is not whole. */
async function readFile(disk: Disk, file: string): Promise<Buffer | undefined> {
  try {
    return await readBytes(disk, file);
  } catch (error) {
    if (SHORTAGES.has(fieldOf(error, "code"))) throw error;
    const said = readText(() => fieldOf(error, "message")) ?? "the disk refused";
    throw new JournalCorruptError(file, 1, 0, `it cannot be read: ${said}`, { cause: error });
  }
}

async function readBytes(disk: Disk, file: string): Promise<Buffer | undefined> {
  let fd: number;
  try {
    fd = await disk.open(file, "read");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    const chunks: Buffer[] = [];
    let at = 0;
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK);
      const length = await disk.read(fd, chunk, at);
      if (length === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, length));
      at += length;
    }
  } finally {
    await disk.close(fd);
  }
}
