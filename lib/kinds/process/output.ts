// Process output: what a program prints, as text, as it comes.
//
// Keeps nothing but the end of it, and ends with the processes of the task: whoever else holds a stream open is not waited for.

import type { Readable } from "node:stream";
import { outsideTimers } from "../../core/time/outside-time.js";
import { nextTurn } from "../../core/time/turn.js";

/** A character whose bytes come in two pieces is one character. */
export function readText(stream: Readable, onText: (text: string) => void): void {
  stream.setEncoding("utf8").on("data", onText);
}

/** What is still on its way arrives within this, once nobody of the group is left to write. */
const LAST_MS = 250;

/** Resolves when `closed` does. Streams that a process outside the group holds open are cut off. */
export async function readToEnd(streams: readonly Readable[], closed: Promise<unknown>): Promise<void> {
  const cut = outsideTimers.setTimeout(() => {
    // Not here: where this process was busy for that long, what is there to be read is read before the next immediate.
    nextTurn(() => {
      for (const stream of streams) stream.destroy();
    });
  }, LAST_MS);
  await closed;
  outsideTimers.clearTimeout(cut);
}

const LINES = 10;
const LONGEST = 2_000;

/** The last lines of a text that comes in pieces. */
export class Tail {
  #text = "";

  write(text: string): void {
    this.#text = (this.#text + text).slice(-LONGEST);
  }

  /** At most 10 lines and 2 000 characters. */
  get lines(): string {
    return this.#text.trimEnd().split("\n").slice(-LINES).join("\n");
  }
}
