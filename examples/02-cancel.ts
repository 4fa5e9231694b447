// 2. Cancel: ask a task to stop, and learn what became of it.
//
// The token is a real AbortSignal: hand it to fetch, to a timer, to a child process. A cancel waits for the cleanup, and tells the truth:
// work that finishes all the same has succeeded.

import assert from "node:assert/strict";
import { setTimeout as work } from "node:timers/promises";

import { TaskManager } from "errand";

const manager = new TaskManager();

let connections = 0;
const crawl = manager.spawn(async ({ signal }) => {
  connections += 1;
  try {
    await work(60_000, undefined, { signal });
  } finally {
    await work(10); // Cleaning up may take its time.
    connections -= 1;
  }
});
await work(10);
assert.equal(connections, 1);

const crawled = await crawl.cancel("the user moved on");
assert(crawled.status === "cancelled");
console.log(`crawl: ${crawled.status}, because ${crawled.reason}; open connections: ${connections}`);
assert.equal(connections, 0);

// Work that ignores its signal is asked in vain, and its result is not lost.
const payment = manager.spawn(async () => {
  await work(20);
  return "paid";
});
await work(5);
const paid = await payment.cancel("too late");
assert(paid.status === "succeeded");
console.log(`payment: ${paid.status}, ${paid.value}`);

// A task that takes too long is stopped by the clock, and that is a failure of its own.
const slow = manager.spawn(({ signal }) => work(60_000, "never", { signal }), { timeoutMs: 20 });
const late = await slow.outcome();
assert(late.status === "failed");
console.log(`slow: ${late.status}, ${late.error.code}`);
assert.equal(late.error.code, "timeout");

await manager.close();
