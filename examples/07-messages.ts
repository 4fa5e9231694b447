// 7. Messages: steer a task while it runs, and hear from it before it is over.
//
// `handle.send` goes to the task, `ctx.post` to its owner; both are stored. A session is the owner's side: it is woken by what its tasks do,
// and is told of it once.

import assert from "node:assert/strict";

import { TaskManager } from "errand";

const manager = new TaskManager();
const session = manager.session("chat-42");

const writer = session.spawn(
  async (ctx) => {
    const chapters: string[] = [];
    await ctx.post("I begin with rivers. What else?");
    for (let topic = "rivers"; topic !== "enough"; ) {
      chapters.push(`about ${topic}`);
      const message = await ctx.receive(); // blocked on `message`, without a slot
      const [part] = message?.content ?? [];
      topic = part?.type === "text" ? part.text : "enough";
    }
    const voice = await ctx.ask({ question: "In which voice?", choices: ["plain", "grand"] });
    return `${chapters.join(", ")}: in a ${voice} voice`;
  },
  { title: "write a guide", wake: "onActivity" }, // not its end alone: also what it says and asks
);

const told: string[] = [];
for (;;) {
  const batch = await session.nextNotices(); // `undefined`: nothing that lives can wake this loop any more
  if (batch === undefined) break;
  console.log(batch.text);
  for (const notice of batch.notices) {
    told.push(notice.type);
    if (notice.type === "message.sent") {
      await writer.send("lakes");
      await writer.send("enough");
    }
    // A question is answered by its request, here with a message: only an answer to it resumes the asker.
    if (notice.type === "request.opened") await writer.send("plain", { inReplyTo: notice.request.id });
  }
  await batch.ack(); // not acknowledged, it would come again
}

assert.deepEqual(told, ["message.sent", "request.opened", "task.succeeded"]);
assert.equal(await writer.result(), "about rivers, about lakes: in a plain voice");
const said = writer.messages().map((message) => message.direction);
assert.deepEqual(said, ["outbound", "inbound", "inbound", "inbound"]);

await manager.close();
