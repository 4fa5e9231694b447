// 1. Spawn: hand work to the background, go on, and pick up how it ended.
//
// `spawn` returns a handle at once. The work starts after the line that spawned it, never inside it.

import assert from "node:assert/strict";
import { setTimeout as work } from "node:timers/promises";

import { TaskManager } from "errand";

const manager = new TaskManager();

const page = manager.spawn(
  async (ctx) => {
    ctx.progress({ current: 1, total: 2, label: "fetching" });
    await work(20);
    ctx.progress({ current: 2, total: 2, label: "parsing" });
    return "<h1>Hello</h1>";
  },
  { title: "read a page" },
);
console.log(`${page.record.title}: ${page.status}`);
assert.equal(page.status, "queued");

// The loop is free meanwhile. When it needs the value, it waits for it.
const html = await page.result();
console.log(`${page.record.title}: ${page.status}, ${html}`);
assert.equal(html, "<h1>Hello</h1>");
assert.deepEqual(page.record.progress, { current: 2, total: 2, label: "parsing" });

// A task that throws hurts nobody: how it ended is a value, too.
const broken = manager.spawn(
  () => {
    throw new Error("404 not found");
  },
  { title: "read another page" },
);
const outcome = await broken.outcome();
assert(outcome.status === "failed");
console.log(`${broken.record.title}: ${outcome.status}, ${outcome.error.message}`);
assert.equal(outcome.error.code, "error");
assert.equal(outcome.error.message, "404 not found");

await manager.close();
