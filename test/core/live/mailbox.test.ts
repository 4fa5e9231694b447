// A mailbox against a list that does the same the slow way (§8).

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Mailbox, type Unread } from "../../../lib/core/live/mailbox.js";
import type { Message } from "../../../lib/core/task/message.js";

function messageOf(n: number, direction: Message["direction"]): Message {
  return { id: `message_${n}`, taskId: "task_1", direction, content: [], createdAt: n };
}

test("§8 a mailbox gives the oldest unread message, also one that was given back, and lists what came after another", () => {
  const step = fc.record({ what: fc.constantFrom("send", "post", "take", "giveBack", "read", "list"), at: fc.nat(30) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const mailbox = new Mailbox();
      const all: Message[] = [];
      let unread: Message[] = [];
      const taken: Unread[] = [];
      for (const { what, at } of steps) {
        if (what === "send" || what === "post") {
          const message = messageOf(all.length, what === "send" ? "inbound" : "outbound");
          all.push(message);
          mailbox.add(message, all.length);
          if (what === "send") unread.push(message);
        } else if (what === "take") {
          const first = mailbox.takeUnread();
          expect(first?.message).toBe(unread[0]);
          if (first !== undefined) taken.push(first);
          unread = unread.slice(1);
        } else if (what === "giveBack") {
          const [back] = taken.splice(at % Math.max(1, taken.length), 1);
          if (back === undefined) continue;
          mailbox.putBack(back);
          unread = all.filter((message) => message === back.message || unread.includes(message));
        } else if (what === "read") {
          const message = all[at];
          if (message === undefined) continue;
          mailbox.read(message);
          unread = unread.filter((each) => each !== message);
        } else {
          const after = all[at];
          const later = after === undefined ? all : all.slice(all.indexOf(after) + 1);
          expect(mailbox.list({ after: after?.id, limit: 5 })).toEqual(later.slice(-5));
        }
        expect(Array.from(mailbox.unread(), ({ message }) => message)).toEqual(unread);
        expect(mailbox.hasUnread).toBe(unread.length > 0);
        expect(all.filter((message) => mailbox.isUnread(message))).toEqual(unread);
      }
    }),
    { numRuns: 300 },
  );
});
