// 10. Background process: a program runs on while the loop goes on, and a monitor looks in from time to time.
//
// Its output is read with a cursor, each line once. Cancelled, it ends with everything that it started, and the cancel says so when it has.

import assert from "node:assert/strict";

import { TaskManager } from "errand";
import { command, monitor } from "errand/kinds";

const manager = new TaskManager({ kinds: [command()] });
const node = (code: string) => ({ command: process.execPath, args: ["-e", code] });

const server = manager.spawn("process", {
  title: "server",
  input: node(`
    console.log("listening, pid " + process.pid);
    let requests = 0;
    setInterval(() => console.log("request " + ++requests), 5);
  `),
});

// A short wait may be enough. Here it is not, and the same work goes on in the background.
assert.equal(await server.outcome({ timeoutMs: 10 }), undefined);

// Every 20 ms a look at what is new since the last one.
let cursor = 0;
let read = "";
const watch = monitor({
  name: "watch the server",
  every: { ms: 20 },
  run: (ctx, { count }) => {
    const news = server.output({ after: cursor });
    cursor = news.cursor;
    read += news.text;
    ctx.summary(`${count} looks`);
    return read.includes("request 5\n") ? "stop" : undefined;
  },
});
const watching = manager.spawn(watch);
await watching.result();
console.log(`${watch.name}: ${watching.status}; the server is ${server.status}`);
assert.ok(read.startsWith("listening, pid ") && read.includes("request 1\nrequest 2\n"));
assert.equal(server.status, "running");

const outcome = await server.cancel("no longer needed");
console.log(`server: ${outcome.status}, by ${server.record.summary}`);
assert.equal(outcome.status, "cancelled");
const [, pid] = /pid (\d+)/u.exec(read) ?? [];
assert.throws(() => process.kill(Number(pid), 0), { code: "ESRCH" });

// One that ends by itself is a result, whatever its exit code. `check: true` makes a failure of it, which says why.
const build = node(`console.error("1 test failed"); process.exit(3);`);
assert.deepEqual(await manager.spawn("process", { input: build }).result(), { exitCode: 3, signal: null });

const checked = await manager.spawn("process", { input: { ...build, check: true } }).outcome();
assert(checked.status === "failed");
console.log(`build: ${checked.status}, ${checked.error.message.split("\n").at(-1)}`);
assert.match(checked.error.message, /ended with exit 3\n1 test failed$/);

await manager.close();
