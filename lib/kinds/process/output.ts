// Process output: reads the output of a program as text, as it arrives.
//
// Keeps only the end of the output, and stops with the processes of the task: streams held open by other processes are
// cut off.

import type { Readable } from "node:stream";
import { outsideTimers } from "../../core/time/outside-time.js";
import { nextTurn } from "../../core/time/turn.js";

/** Calls `onText` with each piece of text. A character whose bytes arrive in two pieces is decoded as one. */
export function readText(stream: Readable, onText: (text: string) => void): void {
  stream.setEncoding("utf8").on("data", onText);
}

/** Milliseconds for the remaining output to arrive after the last process of the group has ended. */
const LAST_MS = 250;

/** Resolves when `closed` does. Streams that a process outside the group holds open are destroyed after 250 ms. */
export async function readToEnd(streams: readonly Readable[], closed: Promise<unknown>): Promise<void> {
  const cut = outsideTimers.setTimeout(() => {
    // The streams are destroyed one turn later: after this process was busy for the whole time, pending data is read
    // first.
    nextTurn(() => {
      for (const stream of streams) stream.destroy();
    });
  }, LAST_MS);
  await closed;
  outsideTimers.clearTimeout(cut);
}

const LINES = 10;
const LONGEST = 2_000;

/** Keeps the last lines of a text that arrives in pieces. */
export class Tail {
  #text = "";

  /** Appends a piece of text. */
  write(text: string): void {
    this.#text = (this.#text + text).slice(-LONGEST);
  }

  /** The last lines: at most 10 lines and 2 000 characters. */
  get lines(): string {
    return this.#text.trimEnd().split("\n").slice(-LINES).join("\n");
  }
}
