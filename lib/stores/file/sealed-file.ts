// Sealed file: stores one JSON value in a file, whole or not at all.
//
// The first line names the content, the value follows, and a checksum of all bytes closes the object, so that any JSON
// tool can read the file. The file is written under another name, synced, and then renamed: a crash at any point leaves
// the old file or the new one.

import { constants } from "node:buffer";
import path from "node:path";
import { crc32 } from "node:zlib";
import { JournalCorruptError } from "../../core/task/errors.js";
import type { Json } from "../../core/values/json.js";
import { fieldOf, readText } from "../../core/values/safe-read.js";
import { CHECKSUM_LENGTH, checksumField, hasValidChecksum } from "./checksum.js";
import { type Disk, isMissing, writeAll } from "./disk.js";
import { jsonPieces } from "./json-pieces.js";

const VERSION = 1;
const PIECE = 64 * 1024;
/** The number of bytes of one read. */
const CHUNK = 64 * 1024;

/** The content of a sealed file. */
export interface SealedContent {
  /** The sort of content, which is also the name of the field with the value. */
  readonly what: string;
  /** The further fields of the first line. */
  readonly about: { readonly [key: string]: Json };
  /** The value to store. */
  readonly value: Json;
}

/** Another version of errand wrote the file. As far as this version can see, the file is whole. */
export class OtherVersionError extends JournalCorruptError {
  /** The same name as that of the base class: users see one sort of error. */
  override get name(): string {
    return "JournalCorruptError";
  }
}

/** The extension of a file that is being written. A crash may leave such a file. */
export const UNFINISHED = ".tmp";

/**
 * Writes a sealed file and resolves when it is durable. `written` makes the name of the unfinished file unique.
 * `mayPut` is called just before the rename, and throws if the file must not be replaced.
 */
export async function writeSealed(
  disk: Disk,
  file: string,
  sealed: SealedContent,
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
        // A longer file could be written but not read, because it is read as one string.
        if (at > constants.MAX_STRING_LENGTH)
          throw new RangeError(
            `${file} would be longer than a string of JavaScript can be: keep fewer records (retention)`,
          );
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

function* bytesOf({ what, about, value }: SealedContent): Generator<Buffer, void, undefined> {
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
  yield Buffer.concat([last, Buffer.from(checksumField(crc32(last, crc)))]);
}

/**
 * Reads the fields of a sealed file; `undefined` if there is no file. `JournalCorruptError` if the file is not whole,
 * or cannot be read.
 */
export async function readSealed(
  disk: Disk,
  file: string,
  what: string,
): Promise<{ readonly [key: string]: Json } | undefined> {
  const bytes = await readFile(disk, file);
  if (bytes === undefined) return undefined;
  if (bytes.length === 0) throw new JournalCorruptError(file, 1, 0, "the file is empty");
  if (bytes.length > constants.MAX_STRING_LENGTH)
    throw new JournalCorruptError(file, 1, 0, "the file is longer than a string of JavaScript can be");
  const text = bytes.toString("utf8");
  const version = /^{"errand":"(\w+)","version":(\d+),/.exec(text);
  if (version === null || version[1] !== what) throw new JournalCorruptError(file, 1, 0, `this is no ${what}`);
  if (Number(version[2]) !== VERSION)
    throw new OtherVersionError(
      file,
      1,
      0,
      `a ${what} of version ${version[2]}; this errand reads version ${VERSION}, so use the errand that wrote it`,
    );
  const end = bytes.length - 1;
  if (bytes[end] !== "\n".charCodeAt(0) || !hasValidChecksum(bytes, end))
    throw new JournalCorruptError(file, 1, 0, "its content does not fit its checksum");
  const value: unknown = JSON.parse(`${text.slice(0, -1 - CHECKSUM_LENGTH)}}`);
  if (!isObject(value)) throw new JournalCorruptError(file, 1, 0, `this is no ${what}`);
  return value;
}

// `JSON.parse` returns JSON only, so an object is the only thing to check.
function isObject(value: unknown): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Error codes of a shortage in the process. They say nothing about the file, which may be readable later. */
const SHORTAGES: ReadonlySet<unknown> = new Set(["EMFILE", "ENFILE", "ENOMEM", "EAGAIN", "EINTR"]);

/** Reads a whole file; `undefined` if there is none. A file that the disk refuses is treated like a broken one. */
async function readFile(disk: Disk, file: string): Promise<Buffer | undefined> {
  try {
    return await readBytes(disk, file);
  } catch (error) {
    if (SHORTAGES.has(fieldOf(error, "code"))) throw error;
    const message = readText(() => fieldOf(error, "message")) ?? "the disk refused";
    throw new JournalCorruptError(file, 1, 0, `it cannot be read: ${message}`, { cause: error });
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
