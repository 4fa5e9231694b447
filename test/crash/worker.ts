// Worker: the process that is killed. Opens a store, tells what the recovery stored, and works until it dies.
//
// node worker.js '{"directory": …, "seed": …, "from": …}': see `Orders`.

import { inspect } from "node:util";
import { TaskManager } from "errand";
import { EVENT_TYPES, type TaskEventMap } from "../../lib/core/task/events.js";
import { FileStore } from "../../lib/stores/file/file-store.js";
import { seeded } from "../../lib/testing/seeded.js";
import { type Death, KillingDisk } from "./killing-disk.js";
import { kindsThat, RETENTION } from "./setting.js";
import { tell } from "./told.js";
import { Work } from "./work.js";

export interface Orders {
  readonly directory: string;
  readonly seed: number;
  /** Counted over the life of the directory: ids are made of it. */
  readonly generation: number;
  /** The first event that nobody knows yet. */
  readonly from: number;
  readonly death?: Death;
  /** It closes by itself after so many rounds of work. */
  readonly rounds?: number;
}

/** So that segments end several times in a short life. */
const SEGMENT_BYTES = 24 * 1024;

async function main({ directory, seed, generation, from, death, rounds }: Orders): Promise<void> {
  const roll = dice(seed);
  const disk = new KillingDisk(death, (file, size) => tell({ told: "half", file, size }));
  const store = new FileStore(directory, disk, SEGMENT_BYTES);
  const work = new Work(roll, generation);
  let torn = false;
  tell({ told: "up" });
  const manager = await TaskManager.open({
    store,
    kinds: kindsThat((name) => work.runOf(name)),
    retention: RETENTION,
    concurrency: 12,
    graceMs: 15,
    logger: {
      debug: () => undefined,
      info: () => undefined,
      warn: () => {
        torn = true;
      },
      error: (message, fields) => {
        // What housekeeping the grace of `close` cut short is no failure.
        if (!work.isClosing) tell({ told: "breach", what: `${message} ${inspect(fields)}` });
      },
    },
  });
  for (const type of EVENT_TYPES as readonly (keyof TaskEventMap)[]) {
    if (isOfTask(type)) manager.on(type, (event) => tell({ told: "event", event }));
  }
  tell({ told: "opened", torn });
  let seq = from - 1;
  for await (const event of store.read({ from })) {
    tell({ told: "kept", event });
    ({ seq } = event);
  }
  tell({ told: "recovered", seq });
  await work.goOn(manager, rounds ?? Number.POSITIVE_INFINITY);
  tell({ told: "closing" });
  await manager.close({ graceMs: 15 });
  tell({ told: "shut" });
}

function isOfTask(type: string): boolean {
  return type !== "store.failed" && type !== "listener.failed";
}

function dice(seed: number): (sides: number) => number {
  const next = seeded(seed);
  return (sides) => Math.floor(next() * sides);
}

process.on("unhandledRejection", (error) => {
  tell({ told: "breach", what: `unhandled rejection: ${String(error)}` });
});

const [orders = "{}"] = process.argv.slice(2);
main(JSON.parse(orders)).catch((error: unknown) => {
  process.stderr.write(`${inspect(error)}\n`);
  process.exit(1);
});
