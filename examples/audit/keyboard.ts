// A person at the keyboard: one key answers one request.
//
// Owns stdin while it is open. Raw mode gives single keys and takes Ctrl-C from the terminal, so it is sent on here, as the signal it
// stands for.

import { on } from "node:events";
import { userInfo } from "node:os";
import { emitKeypressEvents, type Key } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

import type { Verdict } from "./policy.js";

export interface Keyboard {
  /** Resolves at the next `y` or `n`; rejects when the signal aborts. The question itself is the view's to show. */
  ask(signal: AbortSignal): Promise<Verdict>;
  close(): void;
}

const UNSEEN_MS = 300; // A key struck this soon was meant for the question before.

export function openKeyboard(stdin: NodeJS.ReadStream): Keyboard {
  const onKey = (_text: string | undefined, key: Key): void => {
    if (key.ctrl === true && key.name === "c") process.emit("SIGINT");
  };
  emitKeypressEvents(stdin);
  stdin.setRawMode(true).on("keypress", onKey);
  return {
    async ask(signal) {
      await pause(UNSEEN_MS, undefined, { signal });
      for await (const [text] of on(stdin, "keypress", { signal })) {
        if (text === "y" || text === "n") {
          return { approved: text === "y", by: userInfo().username, reason: "denied at the keyboard" };
        }
      }
      throw new Error("the keyboard was closed"); // `on` ends only by its signal.
    },
    close() {
      stdin.setRawMode(false).off("keypress", onKey).pause();
    },
  };
}
