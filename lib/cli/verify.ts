// errand verify: whether the journal is whole, and where it is not.

import path from "node:path";
import { type Verified, verifyJournal } from "errand/stores/file";
import type { Command } from "./command.js";
import { nothingStored, tornInWords } from "./journal-notes.js";
import { aligned, type Line, type Row } from "./line.js";
import { shellWord } from "./shell-word.js";
import { count } from "./task-words.js";

const BAR_COLUMNS = 24;

export const verify: Command = {
  name: "verify",
  needs: ["DIR"],
  takes: ["json"],
  help: `errand verify DIR [--json]

Reads the journal of DIR, its snapshot and its outputs, and says whether all of
it is whole, and where not. Changes nothing.

  --json   one JSON document:
           { directory, ok, segments, snapshotSeq?, firstSeq, lastSeq, events,
             bytes, outputs, torn?, broken? }
  --help   print this

Exit code: 0 when it is whole, 1 when it is broken. A torn end is no breach: it
is what a process leaves that is killed while it writes.`,

  async run({ directory, isJson }, terminal) {
    const verified = await verifyJournal(directory);
    if (isJson) terminal.printJson({ directory, ...verified });
    else terminal.print(pageOf(directory, verified));
    return verified.ok ? 0 : 1;
  },
};

function pageOf(directory: string, verified: Verified): Line[] {
  const { ok, segments, snapshotSeq, torn } = verified;
  if (ok && segments.length === 0 && snapshotSeq === undefined) return [{ prose: nothingStored(directory) }];
  const verdict = ok ? "is whole." : "is broken; nothing behind this was looked at:";
  return [
    { prose: `${directory} ${verdict}`, style: ok ? "good" : "bad" },
    ...brokenLines(verified),
    [],
    ...segmentRows(verified),
    ...(segments.length > 0 || !ok ? [[]] : []),
    ...sumRows(verified),
    ...(torn === undefined ? [] : [[], { prose: tornInWords(torn), style: "waiting" as const }]),
    ...adviceLines(directory, verified),
  ];
}

function brokenLines({ broken }: Verified): Line[] {
  if (broken === undefined) return [];
  const { file, line, byte, why } = broken;
  const place = `${file}:${line}, byte ${byte}`;
  return [{ prose: `  ${why.includes(place) ? why : `${place}: ${why}`}` }];
}

/** A bar for each, as long as it is, and a cross for what is broken. */
function segmentRows({ segments, broken }: Verified): Row[] {
  const longest = Math.max(1, ...segments.map(({ bytes }) => bytes));
  const rows = segments.map(({ file, firstSeq, lastSeq, events, bytes }): Row => {
    const bar = "█".repeat(Math.max(1, Math.round((bytes / longest) * BAR_COLUMNS)));
    const range = events === 0 ? "" : `${firstSeq} to ${lastSeq}`;
    return [`  ${path.basename(file)}`, { text: bar, style: "good" }, inBytes(bytes), count(events, "event"), range];
  });
  if (broken !== undefined) {
    rows.push([`  ${path.basename(broken.file)}`, { text: `✗ line ${broken.line}`, style: "bad" }]);
  }
  return aligned(rows, [2, 3]);
}

function sumRows({ segments, events, firstSeq, lastSeq, snapshotSeq, bytes, outputs }: Verified): Row[] {
  const fields = [
    ["events", events === 0 ? "none" : `${events}, from ${firstSeq} to ${lastSeq}`],
    ["segments", `${segments.length}, ${inBytes(bytes)}`],
    ["snapshot", snapshotSeq === undefined ? "none" : `stands for everything up to event ${snapshotSeq}`],
    ["outputs", `${outputs} in files of their own`],
  ] as const;
  return aligned(fields.map(([name, value]) => [{ text: `  ${name}`, style: "faint" }, value]));
}

function adviceLines(directory: string, { broken }: Verified): Line[] {
  if (broken === undefined) return [];
  const advice = [
    "Nothing was changed, and no program will open it as it is. Put a copy back that is whole; or set it aside and begin anew:",
    `  mv ${shellWord(directory)} ${shellWord(`${directory}.broken`)}`,
    "What stands before the broken place can still be read:",
    `  errand tail ${shellWord(directory)} --json -n 1000000`,
  ];
  return [[], ...advice.map((prose) => ({ prose }))];
}

function inBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
