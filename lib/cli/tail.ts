// errand tail: prints the newest events, one per line, and with --follow each new event.
//
// Polls the journal from the next `seq` on: another process writes it, and a file store sends no notification.

import { setTimeout } from "node:timers/promises";
import { type EventsCompactedError, isErrandError, type TaskEvent, type TaskStore, viewStore } from "errand";
import { fileStore } from "errand/stores/file";
import type { Command } from "./command.js";
import { clockTime } from "./duration.js";
import { describeEvent } from "./event-text.js";
import { findTask } from "./find-task.js";
import { nothingStored } from "./journal-notes.js";
import type { Row } from "./line.js";
import { idWord } from "./printable.js";
import type { Terminal } from "./terminal.js";
import { widthOf } from "./width.js";

const LINES_SHOWN = 20;
const POLL_MS = 200;

/** The command `errand tail`. */
export const tail: Command = {
  name: "tail",
  needs: ["DIR"],
  takes: ["lines", "follow", "task", "json"],
  help: `errand tail DIR [-n N] [--follow] [--task ID] [--json]

Prints the last events in the journal of DIR, one a line: its number, its time,
the task, and what happened.

  -n N, --lines N   how many (default ${LINES_SHOWN})
  -f, --follow      go on with those that come, until Ctrl-C
  --task ID         only those of this task; ID as for errand show
  --json            each event as a line of JSON
  --help            print this

Exit code: 0, or 1 when the journal cannot be read. One that is broken is
printed up to where it is.`,

  async run({ directory, task, lines = LINES_SHOWN, isFollowing, isJson }, terminal) {
    const store = fileStore(directory);
    const taskId = task === undefined ? undefined : findTask(await viewStore(store), directory, task).id;
    const toRows = rowMaker();
    const print: Reading["print"] = isJson ? terminal.printJsonLines : (events) => terminal.print(toRows(events));
    const reading: Reading = { store, wants: (event) => taskId === undefined || event.taskId === taskId, print };
    const next = await printNewest(reading, lines, await whereToBegin(store, taskId === undefined ? lines : undefined));
    if (isFollowing) return follow(reading, next, terminal);
    if (next === 1) terminal.complain(nothingStored(directory));
    return 0;
  },
};

interface Reading {
  readonly store: TaskStore;
  readonly wants: (event: TaskEvent) => boolean;
  readonly print: (events: readonly TaskEvent[]) => void;
}

/** The `seq` to read from so that the newest `count` events are read; `undefined`: from the oldest kept event. */
async function whereToBegin(store: TaskStore, count: number | undefined): Promise<number | undefined> {
  if (count === undefined) return undefined;
  try {
    return Math.max(1, (await store.peek()).nextSeq - count);
  } catch (error) {
    // A journal that is broken can still be read up to the broken place.
    if (isErrandError(error, "JOURNAL_CORRUPT")) return undefined;
    throw error;
  }
}

/**
 * Prints the newest events and returns the `seq` of the next one. When the journal is broken, the readable events are
 * printed before the error is thrown.
 */
async function printNewest({ store, wants, print }: Reading, count: number, from: number | undefined): Promise<number> {
  let newest: TaskEvent[] = [];
  let next = from ?? 1;
  try {
    for await (const event of store.read({ from })) {
      next = event.seq + 1;
      if (wants(event)) newest.push(event);
      if (newest.length > 2 * count) newest = newest.slice(newest.length - count);
    }
  } catch (error) {
    if (isErrandError(error, "EVENTS_COMPACTED")) return printNewest({ store, wants, print }, count, error.oldest);
    print(newest.slice(Math.max(0, newest.length - count)));
    throw error;
  }
  print(newest.slice(Math.max(0, newest.length - count)));
  return Math.max(next, from ?? (await store.peek()).nextSeq);
}

/** Prints new events until the process is interrupted. */
async function follow({ store, wants, print }: Reading, from: number, terminal: Terminal): Promise<0> {
  const signal = terminal.untilInterrupted();
  let next = from;
  while (!signal.aborted) {
    try {
      for await (const event of store.read({ from: next, signal })) {
        next = event.seq + 1;
        if (wants(event)) print([event]);
      }
      await setTimeout(POLL_MS, undefined, { signal });
    } catch (error) {
      if (signal.aborted) break;
      if (!isErrandError(error, "EVENTS_COMPACTED")) throw error;
      terminal.complain(skipped(next, error));
      next = error.oldest;
    }
  }
  return 0;
}

function skipped(next: number, { oldest }: EventsCompactedError): string {
  return `The events ${next} to ${oldest - 1} were compacted away before they were read: on with ${oldest}.`;
}

/** Makes rows whose id column is as wide as the longest id so far. */
function rowMaker(): (events: readonly TaskEvent[]) => Row[] {
  let widest = 0;
  return (events) => {
    for (const { taskId } of events) widest = Math.max(widest, widthOf(idWord(taskId)));
    return events.map((event) => [
      { text: `${String(event.seq).padStart(6)}  ${clockTime(event.at)}`, style: "faint" },
      `  ${idWord(event.taskId)}${" ".repeat(widest - widthOf(idWord(event.taskId)))}  `,
      describeEvent(event, () => undefined),
    ]);
  };
}
