// Output name: makes the file name of an output from the id of its task. Ids may be any text.
//
// Different ids have different names, also on a disk that ignores case. A name contains no separator, no dot except
// that of `.json`, and no name that a system reserves, so the file stays in its directory. Most ids are their own name.

import { createHash } from "node:crypto";

const LONGEST = 120;
/** Names of devices on Windows, which are reserved with any extension. */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d|conin|conout|clock)$/;

/** Returns the file name for the output of this task. */
export function outputName(taskId: string): string {
  // The text is escaped by code units, so that the two halves of a surrogate pair have different names.
  const escaped = taskId.replace(/[^a-z0-9_-]/g, escape);
  if (escaped.length > LONGEST) return `%sha256-${createHash("sha256").update(taskId, "utf16le").digest("hex")}.json`;
  if (escaped === "") return "%.json";
  return `${DEVICE.test(escaped) ? escape(escaped.charAt(0)) + escaped.slice(1) : escaped}.json`;
}

function escape(unit: string): string {
  return `%${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
