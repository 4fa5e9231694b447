// errand verify: checks whether the journal, its snapshot and its outputs are whole.

import path from "node:path";
import { type Verified, verifyJournal } from "errand/stores/file";
import type { Command } from "./command.js";
import { describeTornTail, nothingStored } from "./journal-notes.js";
import { aligned, type Line, type Row } from "./line.js";
import { idWord } from "./printable.js";
import { shellWord } from "./shell-word.js";
import { count } from "./task-text.js";

const BAR_COLUMNS = 24;

/** The command `errand verify`. */
export const verify: Command = {
  name: "verify",
  needs: ["DIR"],
  takes: ["json"],
  help: `errand verify DIR [--json]

Reads the journal of DIR, its snapshot and its outputs, and says whether all of
it is whole, and where not. Changes nothing. A journal that is broken is not
opened; an output that is lost costs only itself.

  --json   one JSON document:
           { directory, ok, segments, snapshotSeq?, firstSeq, lastSeq, events,
             bytes, outputs, lostOutputs,
             brokenSnapshot?, torn?, broken? }
  --help   print this

Exit code: 0 when it is whole, 1 when it is broken or lacks an output. A torn
end is no breach: it is what a process leaves that is killed while it writes.`,

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
  return [
    { prose: `${directory} ${verdictOn(verified)}`, style: ok ? "good" : "bad" },
    ...brokenLines(verified),
    ...lostRows(verified),
    [],
    ...segmentRows(verified),
    ...(segments.length > 0 || !ok ? [[]] : []),
    ...sumRows(verified),
    ...(torn === undefined ? [] : [[], { prose: describeTornTail(torn), style: "waiting" as const }]),
    ...adviceLines(directory, verified),
  ];
}

function verdictOn({ ok, broken, brokenSnapshot, lostOutputs }: Verified): string {
  if (ok) return "is whole.";
  if (broken !== undefined) return "is broken; nothing behind this was looked at:";
  if (brokenSnapshot !== undefined) return "opens, and its snapshot is broken:";
  return `opens, and ${count(lostOutputs.length, "output")} of it ${lostOutputs.length === 1 ? "is" : "are"} lost:`;
}

/** One row for a broken snapshot, and one for each lost output. */
function lostRows({ brokenSnapshot, lostOutputs }: Verified): Row[] {
  const snapshot: Row[] =
    brokenSnapshot === undefined ? [] : [[{ text: "  snapshot", style: "bad" }, describeFault(brokenSnapshot)]];
  const outputs = lostOutputs.map(
    ({ taskId, ...lost }): Row => [{ text: `  ${idWord(taskId)}`, style: "bad" }, describeFault(lost)],
  );
  return aligned([...snapshot, ...outputs]);
}

function describeFault({ file, why }: { readonly file: string; readonly why: string }): string {
  return `${file}: ${why}`;
}

function brokenLines({ broken }: Verified): Line[] {
  if (broken === undefined) return [];
  const { file, line, byte, why } = broken;
  const place = `${file}:${line}, byte ${byte}`;
  return [{ prose: `  ${why.includes(place) ? why : `${place}: ${why}`}` }];
}

/** One row per segment, with a bar as long as the segment is large, and a cross for the broken one. */
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

function sumRows(verified: Verified): Row[] {
  const { segments, events, firstSeq, lastSeq, snapshotSeq, brokenSnapshot, bytes, outputs } = verified;
  const noSnapshot = brokenSnapshot === undefined ? "none" : "broken";
  const fields = [
    ["events", events === 0 ? "none" : `${events}, from ${firstSeq} to ${lastSeq}`],
    ["segments", `${segments.length}, ${inBytes(bytes)}`],
    ["snapshot", snapshotSeq === undefined ? noSnapshot : `stands for everything up to event ${snapshotSeq}`],
    ["outputs", `${outputs} in files of their own`],
  ] as const;
  return aligned(fields.map(([name, value]) => [{ text: `  ${name}`, style: "faint" }, value]));
}

function adviceLines(directory: string, { broken, brokenSnapshot, lostOutputs }: Verified): Line[] {
  if (broken === undefined) {
    const advice = brokenSnapshot === undefined ? [] : snapshotAdvice(brokenSnapshot.file);
    return lostOutputs.length === 0 ? advice : [...advice, ...lostAdvice(lostOutputs)];
  }
  const advice = [
    "Nothing was changed, and no program will open it as it is. Put a copy back that is whole; or set it aside and begin anew:",
    `  mv ${shellWord(directory)} ${shellWord(`${directory}.broken`)}`,
    "What stands before the broken place can still be read:",
    `  errand tail ${shellWord(directory)} --json -n 1000000`,
  ];
  return [[], ...advice.map((prose) => ({ prose }))];
}

function snapshotAdvice(file: string): Line[] {
  const advice = [
    "The journal has all that the snapshot stood for, so nothing is lost, and programs open it. The next snapshot replaces it, or remove the one file:",
    `  rm ${shellWord(file)}`,
  ];
  return [[], ...advice.map((prose) => ({ prose }))];
}

function lostAdvice([first, ...others]: Verified["lostOutputs"]): Line[] {
  const those = others.length === 0 ? "that file" : "those files";
  const advice = [
    "Everything else is there, and programs open it. result() of a task whose output is lost rejects with OUTPUT_LOST.",
    `Put ${those} back from a copy, and open the store again. Without a copy only the output is lost, so you may remove the one file:`,
    `  rm ${shellWord(first?.file ?? "")}`,
  ];
  return [[], ...advice.map((prose) => ({ prose }))];
}

function inBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${(bytes / 1_000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
