// Message: a stored text or data between a task and its owner.
//
// Owns types only. `content.ts` checks and copies the content; `live/mailbox.ts` keeps the messages.

import type { Json } from "../values/json.js";

/** One part of a message, as it is stored: a text, or data that JSON can carry. */
export type Part =
  | {
      /** The part is a text. */
      readonly type: "text";
      /** The text. */
      readonly text: string;
    }
  | {
      /** The part is data. */
      readonly type: "data";
      /** A frozen copy of the data. */
      readonly data: Json;
    };

/** A stored message between a task and its owner. */
export interface Message {
  /** Id of the message. */
  readonly id: string;
  /** The task that received or posted the message. */
  readonly taskId: string;
  /** `inbound`: sent to the task. `outbound`: posted by the task. */
  readonly direction: "inbound" | "outbound";
  /** Parts of the message, in order. */
  readonly content: readonly Part[];
  /** Id of the message or the request that this message answers. */
  readonly inReplyTo?: string;
  /** Instant of sending, in epoch milliseconds. */
  readonly createdAt: number;
}

/**
 * Content of a message as its sender passes it. A string is one text part. `data` must be a value that JSON can carry.
 */
export type Content =
  | string
  | readonly (
      | {
          /** The part is a text. */
          readonly type: "text";
          /** The text. */
          readonly text: string;
        }
      | {
          /** The part is data. */
          readonly type: "data";
          /** Data that JSON can carry. A frozen copy is stored. */
          readonly data: unknown;
        }
    )[];

/** Options of `send` and `post`. */
export interface SendOptions {
  /** Id of the message or the request that this message answers. */
  inReplyTo?: string | undefined;
}
