// A program outside errand. check-package.mjs type-checks, compiles and runs it against the packed tarball.
import { isErrandError, type TaskHandle, TaskManager } from "errand";
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
