// Journal open: one opening of a journal, in a process of its own, for journal.ts.
//
// `open` is a manager's; `parse` reads every line and parses it, which no reader can do without. Says both in one line of JSON.
import { openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { TaskManager } from "errand";
import { fileStore } from "errand/stores/file";

const [way, folder = "."] = process.argv.slice(2);
const begin = performance.now();
const close = way === "open" ? await open() : parse();
const ms = performance.now() - begin;
const peakMb = process.resourceUsage().maxRSS / 1024;
await close?.();
process.stdout.write(`${JSON.stringify({ ms, peakMb })}\n`);

async function open(): Promise<() => Promise<void>> {
  const manager = await TaskManager.open({ store: fileStore(folder) });
  return () => manager.close();
}

function parse(): undefined {
  const piece = Buffer.alloc(1 << 20);
  let parsed = 0;
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".jsonl"))) {
    const fd = openSync(join(folder, name), "r");
    let rest = "";
    for (let read = readSync(fd, piece); read > 0; read = readSync(fd, piece)) {
      const lines = (rest + piece.toString("latin1", 0, read)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (JSON.parse(line) !== undefined) parsed += 1;
    }
  }
  if (parsed === 0) throw new Error(`${folder} has no events`);
}
