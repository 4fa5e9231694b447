// 6. Approval: a task asks, and waits without holding anything up until somebody has answered.
//
// Its question stands in the inbox, where a person, a page or a policy answers it. "No" is an error in the asking function: a forgotten
// `if` is never a silent yes.

import assert from "node:assert/strict";

import { isErrandError, TaskManager } from "errand";

const manager = new TaskManager({ concurrency: 1 });

const deploy = manager.spawn(
  async (ctx) => {
    const target = await ctx.ask({ question: "Deploy to where?", choices: ["staging", "production"] });
    await ctx.approve(`Really deploy to ${target}?`, { details: { target, changes: 12 } });
    return `deployed to ${target}`;
  },
  { title: "deploy" },
);
const cleanup = manager.spawn(
  async (ctx) => {
    try {
      await ctx.approve("Delete 300 old builds?");
      return "deleted";
    } catch (error) {
      if (!isErrandError(error, "REQUEST_REJECTED")) throw error;
      return `kept, because ${error.by} says: ${error.reason}`;
    }
  },
  { title: "clean up" },
);

// Both have asked by now, and a task that waits for an answer lends its slot: the only one there is is free for others.
assert.equal(await manager.spawn(() => "not held up").result(), "not held up");
console.log(`${deploy.record.title}: ${deploy.status}; ${cleanup.record.title}: ${cleanup.status}`);
assert.deepEqual([deploy.status, cleanup.status], ["blocked", "blocked"]);

// The one who answers. Here it is a loop; it could be a person at a page.
const over = new AbortController();
const answering = (async () => {
  for await (const request of manager.inbox.watch({ signal: over.signal })) {
    console.log(`${request.kind}: ${request.question}`);
    if (request.kind === "choice") await manager.inbox.answer(request.id, "staging", { by: "ada" });
    else if (request.question.startsWith("Delete"))
      await manager.inbox.reject(request.id, "they are still needed", { by: "bob" });
    else await manager.inbox.answer(request.id, true, { by: "ada" });
  }
})();

console.log(await deploy.result());
console.log(await cleanup.result());
assert.equal(await deploy.result(), "deployed to staging");
assert.equal(await cleanup.result(), "kept, because bob says: they are still needed");

over.abort();
await answering;
await manager.close();
