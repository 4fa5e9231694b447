// Journal cases: the same events, kept on a disk in several ways, and the same tasks with and without a store. Measured by journal.ts.
//
// A commit has so many events: `commitSizes`. The floor is the disk itself: the same bytes, one write and one fdatasync a commit. Every run
// has a folder of its own, which is gone after it.
import { appendFileSync, closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TaskEvent, TaskManager, type TaskStore } from "errand";
import { fileStore } from "errand/stores/file";
import Database from "libsql";
import { type Case, check } from "./interleave.js";

/** Events in a commit. A manager under load makes larger commits by itself. */
export const commitSizes = [64, 256, 1_024] as const;
export type CommitSize = (typeof commitSizes)[number];
const perCommit = 64;

// ── the same events ──────────────────────────────────────────────────────

const runtime = { instanceId: "k3v9x2aq", pid: 4242, startedAt: 1_790_000_000_000 };

/** A task's start and end, as a manager tells them: about 150 bytes each. */
function eventOf(seq: number): TaskEvent {
  const stamp = { seq, at: 1_790_000_000_000 + seq, taskId: `task_k3v9x2aq_${seq >> 1}`, attempt: 1 };
  return seq % 2 === 1
    ? { type: "task.started", ...stamp, runtime }
    : { type: "task.succeeded", ...stamp, output: { page: seq, words: "as many as fit" } };
}

function commitsOf(count: number, size: number): readonly (readonly TaskEvent[])[] {
  const commits: TaskEvent[][] = [];
  for (let seq = 1; seq <= count; seq += size) {
    commits.push(Array.from({ length: Math.min(size, count - seq + 1) }, (_, index) => eventOf(seq + index)));
  }
  return commits;
}
const lines = (events: readonly TaskEvent[]): string => events.map((event) => `${JSON.stringify(event)}\n`).join("");

export interface Disk {
  readonly folder: string;
  readonly gone: () => void;
}
/** A folder for one run. */
export function disk(): Disk {
  const folder = mkdtempSync(join(tmpdir(), "errand-bench-"));
  return { folder, gone: () => rmSync(folder, { recursive: true, force: true }) };
}

// ── events, kept ─────────────────────────────────────────────────────────

export function rawDisk(n: number, size: CommitSize): Case {
  return {
    name: `the disk: the same bytes, write + fdatasync, ${size} a commit`,
    units: n,
    prepare: () => {
      const { folder, gone } = disk();
      const bytes = commitsOf(n, size).map((events) => Buffer.from(lines(events)));
      const fd = openSync(join(folder, "events"), "w");
      return {
        work: () => {
          for (const commit of bytes) {
            writeSync(fd, commit);
            fdatasyncSync(fd);
          }
        },
        finish: () => {
          closeSync(fd);
          gone();
        },
      };
    },
  };
}
export function stringified(n: number): Case {
  return {
    name: "JSON.stringify alone",
    units: n,
    prepare: () => {
      const commits = commitsOf(n, perCommit);
      let length = 0;
      return {
        work: () => {
          for (const events of commits) for (const event of events) length += JSON.stringify(event).length;
        },
        finish: () => check("JSON.stringify", Number(length > n), 1),
      };
    },
  };
}
export function onFileStore(n: number, size: CommitSize): Case {
  const name = `errand's file store, ${size} a commit`;
  return {
    name,
    units: n,
    prepare: async () => {
      const { folder, gone } = disk();
      const store = fileStore(folder);
      await store.open(runtime);
      const commits = commitsOf(n, size);
      return {
        work: async () => {
          for (const events of commits) await store.append(events);
        },
        finish: async () => {
          await store.close();
          check(name, (await store.peek()).nextSeq, n + 1);
          gone();
        },
      };
    },
  };
}
export function onSqlite(n: number): Case {
  const name = "libsql, WAL, synchronous FULL, 64 a transaction";
  return {
    name,
    units: n,
    prepare: () => {
      const { folder, gone } = disk();
      const db = new Database(join(folder, "events.db"));
      db.exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE event (seq INTEGER PRIMARY KEY, data TEXT)",
      );
      const insert = db.prepare("INSERT INTO event VALUES (?, ?)");
      const commits = commitsOf(n, perCommit);
      return {
        work: () => {
          for (const events of commits) {
            db.exec("BEGIN");
            for (const event of events) insert.run(event.seq, JSON.stringify(event));
            db.exec("COMMIT");
          }
        },
        finish: () => {
          db.close();
          gone();
        },
      };
    },
  };
}
export function eachSynced(n: number): Case {
  // One fdatasync each: a thousand say what a million would.
  const oneByOne = Math.min(n, 1_000);
  return {
    name: `write + fdatasync per event (first ${oneByOne})`,
    units: oneByOne,
    prepare: () => {
      const { folder, gone } = disk();
      const fd = openSync(join(folder, "events"), "w");
      return {
        work: () => {
          for (let seq = 1; seq <= oneByOne; seq += 1) {
            writeSync(fd, `${JSON.stringify(eventOf(seq))}\n`);
            fdatasyncSync(fd);
          }
        },
        finish: () => {
          closeSync(fd);
          gone();
        },
      };
    },
  };
}
export function eachAppended(n: number): Case {
  return {
    name: "fs.appendFileSync per event, not synced",
    units: n,
    prepare: () => {
      const { folder, gone } = disk();
      const file = join(folder, "events");
      const commits = commitsOf(n, perCommit);
      return {
        work: () => {
          for (const events of commits) for (const event of events) appendFileSync(file, `${JSON.stringify(event)}\n`);
        },
        finish: gone,
      };
    },
  };
}

/** The whole way: a task emits so many events a turn, and each commit takes all that came while the one before was on its way. */
export function onManager(n: number, size: CommitSize): Case {
  const name = `a manager, ${size} events a turn, errand's file store`;
  return {
    name,
    units: n,
    prepare: async () => {
      const { folder, gone } = disk();
      const store = fileStore(folder);
      store.compact = async () => undefined;
      const manager = await TaskManager.open({ store });
      let told = 0;
      manager.on("custom", () => {
        told += 1;
      });
      const payload = { page: 1, words: "as many as fit into a hundred and fifty bytes" };
      return {
        work: async () => {
          const task = manager.spawn(async (ctx) => {
            for (let emitted = 0; emitted < n; emitted += 1) {
              if (emitted % size === 0) await new Promise((resolve) => setImmediate(resolve));
              ctx.emit("page", payload);
            }
          });
          await task.result();
        },
        finish: async () => {
          check(name, told, n);
          await manager.close();
          gone();
        },
      };
    },
  };
}

// ── whole tasks ──────────────────────────────────────────────────────────

/** Nothing is kept: what is left is what the manager does for a store. */
export function nowhere(): TaskStore {
  return {
    open: async () => ({ nextSeq: 1 }),
    peek: async () => ({ nextSeq: 1 }),
    append: async () => {},
    read: async function* () {},
    compact: async () => {},
    putOutput: async () => {},
    getOutput: async () => undefined,
    deleteOutputs: async () => {},
    close: async () => {},
  };
}
export function wholeTasks(name: string, tasks: number, storeIn: ((folder: string) => TaskStore) | undefined): Case {
  return {
    name,
    units: tasks,
    prepare: async () => {
      const { folder, gone } = disk();
      const manager = await TaskManager.open({
        store: storeIn?.(folder),
        concurrency: 8,
        limits: { maxQueued: tasks },
      });
      let heard = 0;
      for (const type of ["task.created", "task.started", "task.succeeded"] as const) {
        manager.on(type, () => {
          heard += 1;
        });
      }
      let ended = 0;
      return {
        work: async () => {
          const handles = Array.from({ length: tasks }, () => manager.spawn(async () => 1));
          ended = (await manager.awaitTasks(handles)).ended.length;
        },
        finish: async () => {
          check(name, ended, tasks);
          check(`${name}: events`, heard, 3 * tasks);
          await manager.close();
          gone();
        },
      };
    },
  };
}
