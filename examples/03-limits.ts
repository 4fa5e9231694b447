// 3. Limits: how many tasks run at once, in all and per lane.
//
// What finds no slot waits in line, in order. Work that is not to crowd out the rest gets a lane of its own.

import assert from "node:assert/strict";
import { setTimeout as work } from "node:timers/promises";

import { TaskManager } from "errand";

const manager = new TaskManager({ concurrency: 3, lanes: { disk: { concurrency: 1 } } });

const running = { all: 0, disk: 0 };
const most = { all: 0, disk: 0 };
async function busy(...where: ("all" | "disk")[]): Promise<void> {
  for (const place of where) most[place] = Math.max(most[place], ++running[place]);
  await work(5);
  for (const place of where) running[place] -= 1;
}

for (let page = 1; page <= 6; page += 1) manager.spawn(() => busy("all"), { title: `page ${page}` });
for (let file = 1; file <= 6; file += 1)
  manager.spawn(() => busy("all", "disk"), { title: `file ${file}`, lane: "disk" });

const { queued, lanes } = manager.stats();
console.log(`queued: ${queued}, of which in the lane "disk": ${lanes.disk?.queued}`);

await manager.idle();
console.log(`at once: ${most.all} of 3 in all, ${most.disk} of 1 in the lane "disk"`);
assert.deepEqual(most, { all: 3, disk: 1 });

// Priority: higher goes earlier. `pause` holds the starts back, so that all three are in line together.
manager.pause();
const order: string[] = [];
const handles = [0, 10, 5].map((priority) =>
  manager.spawn(() => order.push(`priority ${priority}`), { priority, lane: "disk" }),
);
manager.resume();
await manager.awaitTasks(handles);
console.log(order.join(", "));
assert.deepEqual(order, ["priority 10", "priority 5", "priority 0"]);

await manager.close();
