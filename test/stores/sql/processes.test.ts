// The SQL store in real processes: they make its tables at once, contend for a journal, and one of them is killed.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { sqlStore } from "errand/stores/sql";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type Compiled, compiled } from "../../support/own-process.js";
import { eventsOf, notes, WRITER } from "../../support/place.js";
import { lapse, type SqlPlace, sqlKinds } from "../../support/sql-place.js";

/** A lease so long that it does not lapse by itself, however slow the machine is. */
const LEASE_MS = 600_000;

let built: Compiled;
let program: string;

beforeAll(async () => {
  built = await compiled();
  program = path.join(built.folder, "process.mjs");
  await writeFile(
    program,
    `import { createInterface } from "node:readline";
import { writeSync } from "node:fs";
import Database from "libsql";
import pg from "pg";
import { postgres, sqlite, sqlStore } from "./lib/stores/sql.js";
const [dialect, where, namespace] = process.argv.slice(2);
let connection;
if (dialect === "sqlite") {
  const database = new Database(where);
  database.exec("pragma journal_mode = wal");
  connection = sqlite(database);
} else connection = postgres(new pg.Pool({ connectionString: where }));
await connection.query({ sql: "select 1", values: [] });
const store = sqlStore({ connection, namespace, leaseMs: ${LEASE_MS} });
const note = (seq) => ({ type: "custom", seq, at: seq, taskId: "task_" + seq, attempt: 1, name: "note", payload: { page: seq } });
const say = (words) => writeSync(1, words + "\\n");
const orders = {
  async open() {
    const { nextSeq } = await store.open({ instanceId: "child " + process.pid, pid: process.pid, startedAt: 1 });
    return nextSeq;
  },
  seize: async (name) => ((await store.shared.seize(name)) === undefined ? "no" : "yes"),
  async work() {
    for (let seq = 1; ; seq += 3) {
      await store.append([seq, seq + 1, seq + 2].map(note));
      if (seq % 5 === 0) await store.putOutput("a", seq);
      if (seq % 7 === 0) await store.compact({ seq: seq + 2 }, seq + 2);
      say(String(seq + 2));
    }
  },
};
say("ready");
for await (const line of createInterface(process.stdin)) {
  const [order, word] = line.split(" ");
  try {
    say(String(await orders[order](word)));
  } catch (error) {
    say(error.code ?? String(error));
  }
}
`,
  );
});
afterAll(() => built.remove());

interface Child {
  readonly process: ChildProcessByStdio<Writable, Readable, null>;
  /** Resolves with the next line of the child's output. */
  said(): Promise<string>;
  /** Sends a command and resolves with the answer. */
  ask(order: string): Promise<string>;
  /** Kills the child with SIGKILL, and resolves with the rest of its output. */
  kill(): Promise<string[]>;
}

async function child({ words }: SqlPlace): Promise<Child> {
  const started = spawn(process.execPath, [program, ...words], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void started.kill("SIGKILL"));
  const lines = createInterface(started.stdout)[Symbol.asyncIterator]();
  const said = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error("the process has ended");
    return value;
  };
  expect(await said()).toBe("ready");
  return {
    process: started,
    said,
    ask(order) {
      started.stdin.write(`${order}\n`);
      return said();
    },
    async kill() {
      const ended = once(started, "exit");
      started.kill("SIGKILL");
      await ended;
      const rest: string[] = [];
      for (let line = await lines.next(); line.done !== true; line = await lines.next()) rest.push(line.value);
      return rest;
    },
  };
}

const CONTENDERS = 4;

describe.each(await sqlKinds())("processes on one database ($name)", ({ make }) => {
  const storeOn = (where: SqlPlace) => {
    const store = sqlStore({ connection: where.connect(), namespace: where.namespace });
    onTestFinished(() => store.close());
    return store;
  };

  test("that open it at once make its tables once; that contend for a journal are never two to have it", async () => {
    const where = await make();
    const children = await Promise.all(Array.from({ length: CONTENDERS }, () => child(where)));
    expect(await Promise.all(children.map((each) => each.ask("open")))).toEqual(children.map(() => "1"));
    const journals = async () =>
      (await where.ask(`select number, writer from ${where.namespace}_journals order by number`)).map(
        ({ number, writer }) => [Number(number), Number(JSON.parse(String(writer)).pid)] as const,
      );
    const owners = await journals();
    expect(owners.map(([number]) => number)).toEqual([1, 2, 3, 4]);
    expect(new Set(owners.map(([, pid]) => pid))).toEqual(new Set(children.map(({ process }) => process.pid)));

    const dead = storeOn(where);
    await lapse(where, "1");
    await dead.open(WRITER);
    for (let round = 1; round <= 8; round++) {
      await lapse(where, "1");
      const contenders = children.filter(({ process }) => process.pid !== owners[0]?.[1]);
      const answers = await Promise.all(contenders.map((each) => each.ask("seize 1")));
      expect(answers.sort()).toEqual(["no", "no", "yes"]);
    }
  });

  test("go on with what a killed one left: all that was reported to it, and whole batches", async () => {
    const where = await make();
    const killed = await child(where);
    expect(await killed.ask("open")).toBe("1");
    killed.process.stdin.write("work\n");
    while (Number(await killed.said()) < 60);
    const rest = await killed.kill();
    const told = Number(rest.at(-1) ?? 60);

    const next = storeOn(where);
    await next.open(WRITER);
    expect(await next.shared?.seize("1")).toBe(undefined);
    await lapse(where, "1");
    const left = await next.shared?.seize("1");
    if (left === undefined) throw new Error("it was not seized");
    expect(left.writer).toMatchObject({ pid: killed.process.pid });
    const { nextSeq, snapshot } = await left.peek();
    expect(nextSeq).toBeGreaterThan(told);
    expect((nextSeq - 1) % 3).toBe(0);
    const events = await eventsOf(left);
    const [oldest] = events;
    expect(events).toEqual(notes(oldest?.seq ?? 0, nextSeq - 1));
    const seq = Number(Reflect.get(Object(snapshot), "seq"));
    expect(seq).toBeGreaterThanOrEqual((oldest?.seq ?? 0) - 1);
    expect(seq).toBeLessThan(nextSeq);
    const output = await left.getOutput("a");
    await left.absorb({ all: nextSeq - 1 }, 0);
    expect(await next.getOutput("a")).toBe(output);
    expect(await next.shared?.others()).toEqual([]);
  });
});
