// Message: a stored note between a task and its owner.
//
// Owns the words alone: content is taken in `content.ts`, and the mailboxes are in `mailbox.ts`.

import type { Json } from "../values/json.js";

export type Part = { readonly type: "text"; readonly text: string } | { readonly type: "data"; readonly data: Json };

export interface Message {
  readonly id: string;
  readonly taskId: string;
  readonly direction: "inbound" | "outbound";
  readonly content: readonly Part[];
  readonly inReplyTo?: string;
  readonly createdAt: number;
}

/** A string is one text part. */
export type Content =
  | string
  | readonly ({ readonly type: "text"; readonly text: string } | { readonly type: "data"; readonly data: unknown })[];

export interface SendOptions {
  inReplyTo?: string | undefined;
}
