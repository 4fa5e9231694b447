// Output name: the name of the file of a task's output, made of an id that somebody else has chosen.
//
// Different ids have different names, also where a disk takes `A` for `a`; and a name has no separator, no dot before `.json` and nothing a
// system keeps for itself, so it stays in its directory. Most ids are their own name.

import { createHash } from "node:crypto";

const LONGEST = 120;
/** Devices on Windows, with any ending. */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d|conin|conout|clock)$/;

export function outputName(taskId: string): string {
  // By code units, so that half a surrogate pair is told from another.
  const escaped = taskId.replace(/[^a-z0-9_-]/g, escape);
  if (escaped.length > LONGEST) return `%sha256-${createHash("sha256").update(taskId, "utf16le").digest("hex")}.json`;
  if (escaped === "") return "%.json";
  return `${DEVICE.test(escaped) ? escape(escaped.charAt(0)) + escaped.slice(1) : escaped}.json`;
}

function escape(unit: string): string {
  return `%${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
