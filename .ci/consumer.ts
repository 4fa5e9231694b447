// A program outside errand. check-package.mjs type-checks, compiles and runs it against the packed tarball.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineKind, isErrandError, type TaskHandle, TaskManager } from "errand";
import { subagent } from "errand/kinds"; // with none of its optional peers installed
import { fileStore } from "errand/stores/file";
import { manualClock } from "errand/testing";

const manager = new TaskManager({ concurrency: 2, clock: manualClock() });
const handle: TaskHandle<number> = manager.spawn((ctx) => (ctx.signal.aborted ? 0 : 42));

// @ts-expect-error A result has its type: were the declarations not found, everything would be `any` and this would pass.
const wrong: TaskHandle<string> = handle;
void wrong;

const value: number = await handle.result();
if (value !== 42) {
  throw new Error(`expected 42, got ${value}`);
}
if (isErrandError(new Error("not one of ours"))) {
  throw new Error("isErrandError takes any error for one of ours");
}
await manager.close();

const directory = await mkdtemp(join(tmpdir(), "errand-consumer-"));
const double = defineKind({ name: "double", run: (_ctx, input: { of: number }) => 2 * input.of });
const before = await TaskManager.open({ store: fileStore(directory), kinds: [double] });
const doubled: number = await before.spawn(double, { id: "once", input: { of: 21 } }).result();
await before.close();
const after = await TaskManager.open({ store: fileStore(directory), kinds: [double] });
const kept = await after.get("once", double)?.result();
if (doubled !== 42 || kept !== 42) {
  throw new Error(`expected 42 twice, got ${doubled} and ${kept}`);
}
await after.close();
await rm(directory, { recursive: true });

const echo = subagent({ loop: (_ctx, { prompt }) => prompt });
const agents = new TaskManager({ kinds: [echo] });
const session = agents.session("chat");
const [spawnTask] = session.tools({ only: ["spawn_task"] });
await spawnTask?.execute({ kind: "subagent", input: { prompt: "42" } }, { callId: "call_1" });
const batch = await session.nextNotices();
if (!batch?.text.includes('succeeded: "42"')) {
  throw new Error(`expected a notice of 42, got ${batch?.text}`);
}
await batch.ack();
await agents.close();
