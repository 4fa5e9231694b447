// Points: where in the store's work a process is killed.
//
// A point is an operation of the disk, on a sort of file, and whether the kill comes before it, half-way through what it writes, or after.

import path from "node:path";
import type { Disk } from "../../lib/stores/file/disk.js";

/** `header`: a segment in which nothing else has been written yet. `dead`, `own`: a lock. `root`: the directory. `debris`: what a crash left. */
export type Sort = "segment" | "header" | "snapshot" | "result" | "dead lock" | "own lock" | "root" | "debris";

export interface Point {
  readonly what: Exclude<
    keyof Disk,
    "links" | "idOf" | "idAt" | "list" | "read" | "modifiedAt" | "close" | "makePrivate" | "realPath"
  >;
  readonly sort: Sort;
  readonly when: "before" | "half" | "after";
}

export function nameOf({ what, sort, when }: Point): string {
  return `${what} ${sort} ${when}`;
}

const [BEFORE, HALF, AFTER] = ["before", "half", "after"] as const;

function at(what: Point["what"], sort: Sort, ...when: readonly Point["when"][]): readonly Point[] {
  return when.map((each) => ({ what, sort, when: each }));
}

/** Kills in a row: each but the first needs what the one before it left. */
export interface Stage {
  readonly kills: readonly (Point | "at random")[];
  /** Only a process that closes comes there. */
  readonly closes?: true;
}

function each(points: readonly Point[]): readonly Stage[] {
  return points.map((point) => ({ kills: [point] }));
}

/** Every place where a crash leaves the directory another way. */
export const STAGES: readonly Stage[] = [
  // append; what is torn is cut off
  ...each([...at("write", "segment", BEFORE, AFTER), ...at("sync", "segment", BEFORE, AFTER)]),
  { kills: [...at("write", "segment", HALF), ...at("truncate", "segment", BEFORE, AFTER)] },
  // rotate
  ...each([
    ...at("open", "header", BEFORE, AFTER),
    ...at("write", "header", AFTER),
    ...at("sync", "header", BEFORE, AFTER),
    ...at("syncDirectory", "root", BEFORE, AFTER),
  ]),
  { kills: [...at("write", "header", HALF), ...at("remove", "header", BEFORE, AFTER)] },
  // snapshot, rename
  ...each([
    ...at("open", "snapshot", BEFORE, AFTER),
    ...at("write", "snapshot", HALF),
    ...at("sync", "snapshot", BEFORE, AFTER),
    ...at("rename", "snapshot", BEFORE, AFTER),
  ]),
  // unlink
  ...each([...at("remove", "segment", BEFORE, AFTER), ...at("remove", "result", BEFORE, AFTER)]),
  // an output of its own
  ...each([...at("open", "result", AFTER), ...at("sync", "result", AFTER), ...at("rename", "result", BEFORE, AFTER)]),
  { kills: [...at("write", "result", HALF), ...at("remove", "debris", BEFORE, AFTER)] },
  // opening and closing
  ...each([
    ...at("makeDirectory", "result", AFTER),
    ...at("open", "own lock", AFTER),
    ...at("write", "own lock", HALF),
  ]),
  { kills: ["at random", ...at("remove", "dead lock", BEFORE, AFTER)] },
  ...at("remove", "own lock", BEFORE, AFTER).map((point) => ({ kills: [point], closes: true as const })),
];

/** The names of all of them. */
export const POINTS: readonly string[] = STAGES.flatMap(({ kills }) =>
  kills.flatMap((kill) => (kill === "at random" ? [] : nameOf(kill))),
);

/** What sort of file a path in a store's directory is. */
export function sortOf(file: string, ownLocks: ReadonlySet<string>): Sort {
  const name = path.basename(file);
  if (name.startsWith("events.")) return "segment";
  if (name.startsWith("snapshot.")) return "snapshot";
  if (name.startsWith("lock.")) return ownLocks.has(file) ? "own lock" : "dead lock";
  if (name === "results" || path.basename(path.dirname(file)) === "results") return "result";
  return "root";
}
