// 8. Crash and resume: a process is killed in the middle of its work, and the next one goes on.
//
// What is decided is stored before anybody sees it, so kill -9 loses nothing that was given out. A task whose kind `canReattach` is run
// again, from its last checkpoint on, and its open question is still there under the same id. What nobody can go on with says so.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { defineKind, TaskManager } from "errand";
import { fileStore } from "errand/stores/file";

/** Crawls page by page, and asks before it publishes. `number`: the page it has come to, kept as its checkpoint. */
const crawl = defineKind<string, { site: string }, { site: string }, string, number>({
  name: "crawl",
  canReattach: () => true,
  retry: { maxAttempts: 5 },
  run: async (ctx, { site }) => {
    for (let page = ctx.lastCheckpoint ?? 0; page < 6; ) {
      await ctx.checkpoint(++page);
      console.log(`attempt ${ctx.attempt}: page ${page} of ${site}`);
      if (page !== 3 || ctx.attempt > 1) continue;
      console.log("half"); // Where the first process is killed.
      await ctx.sleep(60_000);
    }
    await ctx.approve(`Publish ${site}?`, { key: "publish" });
    return `${site} is published`;
  },
});

const [folder, run] = process.argv.slice(2);
if (folder !== undefined) await work(folder, run ?? "first");
else await killAndStartAgain();

/** The program itself, as it would be without this example around it: it opens its store and goes on. */
async function work(directory: string, life: string): Promise<void> {
  // A question that waits for a person keeps no process alive; a server would.
  const alive = setInterval(() => {}, 60_000);
  const manager = await TaskManager.open({ store: fileStore(directory), kinds: [crawl] });
  // The same id is the same task, in whichever process.
  const task = manager.spawn(crawl, { id: "crawl-1", input: { site: "example.org" } });
  if (life === "first") manager.spawn((ctx) => ctx.sleep(3_600_000), { id: "nap" });
  console.log(`${life}: the nap is ${manager.get("nap")?.status}`);
  for await (const request of manager.inbox.watch()) {
    console.log(`${life}: ${request.id} ${request.question}`);
    if (life === "last") await manager.inbox.answer(request.id, true, { by: "ada" });
    if (life === "last") break;
  }
  console.log(await task.result());
  await manager.close();
  clearInterval(alive);
}

async function killAndStartAgain(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "errand-crash-"));
  try {
    // Killed while it crawls, and once more while it waits for an answer.
    const first = await live(directory, "first", "half");
    const second = await live(directory, "second", "Publish");
    const last = await live(directory, "last");

    assert.ok(first.includes("attempt 1: page 3 of example.org"));
    assert.ok(!second.includes("page 3 of") && second.includes("attempt 2: page 4 of"), "it goes on where it was");
    assert.ok(second.includes("the nap is interrupted"), "nobody can go on with a plain function");
    const [, asked] = /second: (\S+) Publish/u.exec(second) ?? [];
    assert.ok(last.includes(`last: ${asked} Publish example.org?`), "the same question, still open");
    assert.ok(last.includes("example.org is published"));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** A process that is killed as soon as it prints `until`; without it, it comes to its end. Gives what it printed. */
async function live(directory: string, life: string, until?: string): Promise<string> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), directory, life], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    console.log(line);
    lines.push(line);
    if (until === undefined || !line.includes(until)) continue;
    child.kill("SIGKILL");
    console.log("killed");
    break;
  }
  const [code] = await closed;
  assert.equal(code, until === undefined ? 0 : null);
  return lines.join("\n");
}
