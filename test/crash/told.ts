// Told: what a process says that it was told, one JSON line for each, written before it does anything else.
//
// Written at once into a pipe, so that a killed process has no line in a buffer of its own. A long text goes as its digest.

import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import type { InboxRequest, Json, Message, TaskEvent, TaskOutcome } from "errand";

export type Told =
  /** Its code is loaded; the store is not open yet. */
  | { readonly told: "up" }
  /** `TaskManager.open` resolved. */
  | { readonly told: "opened"; readonly torn: boolean }
  /** Read from the store after that: what the recovery stored. */
  | { readonly told: "kept"; readonly event: TaskEvent }
  /** All of it was read: the work begins. */
  | { readonly told: "recovered"; readonly seq: number }
  /** A listener heard it. */
  | { readonly told: "event"; readonly event: TaskEvent }
  /** Its function was called. */
  | { readonly told: "ran"; readonly id: string; readonly attempt: number; readonly checkpoint?: Json | undefined }
  | { readonly told: "stored"; readonly id: string }
  | { readonly told: "outcome"; readonly outcome: TaskOutcome }
  | { readonly told: "checkpoint"; readonly id: string; readonly attempt: number; readonly value: Json }
  /** Sent, posted or received. */
  | { readonly told: "message"; readonly message: Message }
  /** Seen in the inbox. */
  | { readonly told: "asked"; readonly request: InboxRequest }
  /** An answer or a rejection was taken. */
  | { readonly told: "closed"; readonly request: InboxRequest }
  /** Another one was too late. */
  | { readonly told: "tooLate"; readonly requestId: string }
  /** What the asking function got. */
  | { readonly told: "answer"; readonly id: string; readonly value: Json }
  /** It begins to close. */
  | { readonly told: "closing" }
  /** `close()` resolved. */
  | { readonly told: "shut" }
  /** Half of a write was done, up to this byte of the file, and now it dies. */
  | { readonly told: "half"; readonly file: string; readonly size: number }
  /** It saw itself that a law is broken. */
  | { readonly told: "breach"; readonly what: string };

const PIPE = 3;
const LONG = 4096;

/** Nothing is lost in a buffer: it is in the pipe when this returns. */
export function tell(told: Told): void {
  const bytes = Buffer.from(`${JSON.stringify(told, shorten)}\n`);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(PIPE, bytes, at);
    } catch (error) {
      // Nobody is there any more to be told: nobody will kill it either.
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) process.kill(process.pid, "SIGKILL");
    }
  }
}

/** As it comes out of the pipe. */
export function shortened<T>(value: T): T {
  return value === undefined ? value : JSON.parse(JSON.stringify(value, shorten));
}

function shorten(_key: string, value: unknown): unknown {
  if (typeof value !== "string" || value.length <= LONG) return value;
  return `${value.length} characters, sha1 ${createHash("sha1").update(value).digest("hex")}`;
}
