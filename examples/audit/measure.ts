// How large a package is on disk, without the packages installed inside it.

import { lstat } from "node:fs/promises";
import { join } from "node:path";

import { listFiles } from "./packages.js";

export interface Size {
  readonly files: number;
  readonly bytes: number;
}

export async function measure(folder: string, signal: AbortSignal): Promise<Size> {
  const files = await listFiles(folder, signal);
  let bytes = 0;
  for (const file of files) {
    signal.throwIfAborted();
    bytes += (await lstat(join(folder, file))).size;
  }
  return { files: files.length, bytes };
}

/** `1536` is `1.5 kB`: three digits at most, decimal as npm prints it. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB"];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(bytes, 1)) / 3)));
  const value = bytes / 1000 ** step;
  return `${value < 10 && step > 0 ? value.toFixed(1) : Math.round(value)} ${units[step]}`;
}
