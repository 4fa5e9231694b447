// Check: the laws that a directory keeps after its process was killed (D1, D2, D4, D6, A1, A3, S6).
//
// Three sources are held against each other: what the process told before it died, what stands in the journal, and what a manager
// makes of both when it opens the directory. The book says what they must agree on.

import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import {
  type InboxRequest,
  type Json,
  type Stored,
  type StoreView,
  type TaskEvent,
  TaskManager,
  type TaskOutcome,
  type TaskRecord,
  viewStore,
} from "errand";
import { fileStore } from "errand/stores/file";
import { type Book, type BookTask, type Foretold, mustHold, say } from "./book.js";
import { kindsThat, RETENTION, SESSIONS } from "./setting.js";
import { shortened, type Told } from "./told.js";

export interface Checked {
  readonly isTorn: boolean;
  /** How many snapshots there were so far tells how often it was compacted; this is the `seq` of the newest. */
  readonly snapshotSeq: number;
  readonly tasks: number;
}

/** After a kill, before anybody opens the directory again. */
export async function checkKilled(directory: string, book: Book, told: readonly Told[]): Promise<Checked> {
  const store = fileStore(directory);
  const foretold = book.foretell();
  const stored = await store.peek();
  const isTorn = await checkTorn(directory, stored, told);
  await readOn(directory, book, told);
  mustHold(stored.nextSeq === book.lastSeq + 1, `D6: nextSeq is ${stored.nextSeq}, and the last event ${book.lastSeq}`);
  const recovered = told.find((each) => each.told === "recovered");
  checkFates(book, foretold, recovered?.seq);
  checkTold(book, told);
  const view = await viewStore(store);
  checkView(book, view);
  const again = await viewStore(store);
  mustHold(isDeepStrictEqual(pictureOf(view), pictureOf(again)), "§2: read twice, it is not the same");
  await checkOutputs(book, view.list(), (id) => store.getOutput(id));
  return { isTorn, snapshotSeq: seqOf(stored.snapshot), tasks: view.list().length };
}

/** Opens it in this process, as the next one would, and closes it again. */
export async function checkOpened(directory: string, book: Book, isTorn: boolean): Promise<void> {
  const foretold = book.foretell();
  const warned: string[] = [];
  const manager = await TaskManager.open({
    store: fileStore(directory),
    kinds: kindsThat(() => (ctx) => ctx.sleep(Number.POSITIVE_INFINITY)),
    retention: RETENTION,
    graceMs: 2_000,
    logger: {
      debug: () => undefined,
      info: () => undefined,
      warn: (message) => void warned.push(message),
      error: (message) => void warned.push(message),
    },
  });
  try {
    // What goes on does not start before it was looked at.
    manager.pause();
    const records = shortened(manager.list());
    const open = shortened(manager.inbox.list());
    const sums = SESSIONS.map((id) => [id, manager.session(id).usage()] as const);
    await readOn(directory, book, []);
    checkFates(book, foretold, book.lastSeq);
    const torn = warned.filter((message) => message.includes("torn"));
    mustHold(torn.length === (isTorn ? 1 : 0), `D2: the torn tail was warned of ${torn.length} times`);
    const usedUp = warned.filter((message) => message.includes("used up"));
    mustHold(warned.length === torn.length + usedUp.length, `It warned: ${warned.join("; ")}`);
    checkRecords(book, records);
    const untold = records.filter(
      ({ id, finishedAt, wake }) => finishedAt !== undefined && wake !== "silent" && !book.acknowledged.has(id),
    );
    const kept = records.filter(({ finishedAt }) => finishedAt !== undefined).length;
    mustHold(
      kept <= RETENTION.maxFinished + pinnedIn(records) + untold.length,
      "D6: more ended tasks are kept than were asked for",
    );
    for (const id of SESSIONS) {
      const batch = await manager.session(id).nextNotices({ timeoutMs: 0 });
      const told = (batch?.notices ?? []).map(({ taskId }) => taskId).toSorted();
      const owed = untold.filter(({ sessionId }) => sessionId === id).map((record) => record.id);
      mustHold(
        isDeepStrictEqual(told, owed.toSorted()),
        `N1: session ${id} was told of ${show(told)}, and ${show(owed)} are not acknowledged`,
      );
    }
    checkRequests(
      book,
      open,
      [...book.requests.values()].filter(({ status }) => status === "open"),
    );
    for (const [id, usage] of sums) {
      const sum = book.sessions.get(id) ?? { inputTokens: 0, outputTokens: 0, costUsd: 0, tasks: 0 };
      mustHold(
        isDeepStrictEqual({ ...usage }, sum),
        `§8: session ${id} used ${show(usage)}, and all reports are ${show(sum)}`,
      );
    }
    manager.resume();
    await nextTurn();
  } finally {
    await manager.close();
  }
  const left = book.active.map((task) => ({ task, isLeft: book.staysActive(task), attempt: task.attempt }));
  await readOn(directory, book, []);
  for (const { task, isLeft, attempt } of left)
    mustHold(
      (task.end === undefined) === isLeft && task.attempt === attempt,
      `D8: ${task.id} ${isLeft ? "goes on" : "cannot go on"}, and closing made it ${task.status}`,
    );
  checkView(book, await viewStore(fileStore(directory)));
  const locks = (await readdir(directory)).filter((name) => name.startsWith("lock."));
  mustHold(locks.length === 0, `D3: after closing there is a lock: ${locks.join()}`);
}

// ── the journal ──────────────────────────────────────────────────────────────

/** Reads the journal, and holds what was read before against it; what it has no more was told. */
async function readOn(directory: string, book: Book, told: readonly Told[]): Promise<void> {
  const store = fileStore(directory);
  const heard = new Map<number, TaskEvent>();
  for (const each of told) {
    if (each.told !== "event" && each.told !== "kept") continue;
    const { event } = each;
    const known = heard.get(event.seq);
    if (known !== undefined) mustBeSame(event, known, "D1: what was told");
    if (known === undefined || each.told === "event") heard.set(event.seq, event);
  }
  let next: number | undefined;
  for await (const read of store.read()) {
    const event = shortened(read);
    mustHold(
      next === undefined || event.seq === next,
      `D6: behind event ${(next ?? 0) - 1} the journal has ${event.seq}`,
    );
    if (next === undefined) book.forget(event.seq);
    next = event.seq + 1;
    const known = book.kept.get(event.seq) ?? heard.get(event.seq);
    if (known !== undefined) mustBeSame(event, known, "D2: what was told or read before");
    // Of an output that is kept by itself, who heard the event heard all of it.
    if (event.seq > book.lastSeq) catchUp(book, heard, event.seq);
    if (event.seq > book.lastSeq) book.take(known ?? event);
  }
  for (const event of heard.values()) {
    mustHold(event.seq <= book.lastSeq, `D1: ${say(event)} was told, and the journal ends with ${book.lastSeq}`);
  }
}

/** Compacted already, but told. */
function catchUp(book: Book, heard: ReadonlyMap<number, TaskEvent>, seq: number): void {
  while (book.lastSeq + 1 < seq) {
    const event = heard.get(book.lastSeq + 1);
    mustHold(event !== undefined, `D1: event ${book.lastSeq + 1} is compacted away, and was never told`);
    book.take(event);
  }
}

function mustBeSame(event: TaskEvent, known: TaskEvent, what: string): void {
  if (isDeepStrictEqual(event, known)) return;
  // The journal keeps a long output by itself.
  if (isApart(event) !== isApart(known) && isDeepStrictEqual(withoutOutput(event), withoutOutput(known))) return;
  mustHold(false, `${what} of ${say(event)} is not what stands there: ${show(known)}, ${show(event)}`);
}

function isApart(event: TaskEvent): boolean {
  return "outputApart" in event;
}

function withoutOutput(event: TaskEvent): TaskEvent {
  if (event.type === "task.succeeded") {
    const { output: _, outputApart: __, ...rest } = event;
    return rest;
  }
  if (event.type !== "task.returned" || event.outcome.status !== "succeeded") return event;
  const { outputApart: _, ...rest } = event;
  return { ...rest, outcome: { ...event.outcome, value: undefined } };
}

/** A journal ends with a mark, or its end is torn, and then it is said where. */
async function checkTorn(directory: string, { torn }: Stored, told: readonly Told[]): Promise<boolean> {
  const newest = (await readdir(directory))
    .filter((name) => name.startsWith("events."))
    .sort()
    .at(-1);
  if (newest === undefined) {
    mustHold(torn === undefined, "D2: there is no journal, and its end is torn");
    return false;
  }
  const file = path.join(directory, newest);
  const bytes = await readFile(file);
  const isTorn = !/,"crc":"[0-9a-f]{8}"}\n$/.test(bytes.toString("latin1", Math.max(0, bytes.length - 64)));
  mustHold(
    isTorn === (torn !== undefined),
    `D2: the journal ends ${isTorn ? "torn" : "whole"}, and it is said: ${show(torn)}`,
  );
  if (torn === undefined) return false;
  mustHold(
    torn.file === file && torn.byte + torn.bytes === bytes.length,
    `D2: ${newest} has ${bytes.length} bytes, and it is said: ${show(torn)}`,
  );
  const lines = bytes.subarray(0, torn.byte).toString("latin1").split("\n").length;
  mustHold(torn.line === lines, `D2: the torn end of ${newest} begins in line ${lines}, and it is said: ${show(torn)}`);
  const half = told.find((each) => each.told === "half");
  if (half?.file === file) mustHold(half.size === bytes.length, `D2: byte ${half.size} was written last`);
  return true;
}

// ── the recovery ─────────────────────────────────────────────────────────────

/** What became of each task of the dead process, up to event `seq`: of all, or, when it was killed again meanwhile, of some. */
function checkFates(book: Book, foretold: ReadonlyMap<BookTask, Foretold>, seq: number | undefined): void {
  for (const [task, { fate: before, dueAt, late }] of foretold) {
    const event = book.decidedOf(task);
    if (event === undefined || (seq !== undefined && event.seq > seq)) {
      mustHold(seq === undefined, `D4: ${task.id} was active, and after opening nothing is decided of it`);
      continue;
    }
    const fate = dueAt <= event.at ? late : before;
    const is = `D4: ${say(event)}, which is to be: ${fate}`;
    switch (fate) {
      case "goes on":
        mustHold(event.type === "task.reattached", is);
        break;
      case "interrupted":
        mustHold(event.type === "task.interrupted", is);
        mustHold(
          event.reason === (task.stop?.stopReason === "shutdown" ? "shutdown" : "process_lost"),
          `${is}: ${event.reason}`,
        );
        mustHold(event.instanceId !== undefined, `${is}: names no instance`);
        mustHold(event.pid === task.pid, `${is}: names process ${event.pid}, and it was ${task.pid}`);
        break;
      case "as it was stopped":
        mustHold(
          task.stop?.stopReason === "cancel"
            ? event.type === "task.cancelled" && event.reason === task.stop.reason
            : event.type === "task.failed" && event.error.code === task.stop?.stopReason,
          `${is}: ${show(event)}`,
        );
        break;
      case "out of time":
        mustHold(event.type === "task.failed" && event.error.code === "total_timeout", `${is}: ${show(event)}`);
        break;
      case "swept":
        mustHold(event.type === "task.cancelled" && event.reason === "total_timeout", `${is}: ${show(event)}`);
        break;
      case "as it returned":
        mustHold(event.type === `task.${task.returned?.outcome.status}`, `${is}: ${show(event)}`);
        break;
      default:
        fate satisfies never;
    }
  }
}

// ── what was told ────────────────────────────────────────────────────────────

function checkTold(book: Book, told: readonly Told[]): void {
  for (const each of told) {
    switch (each.told) {
      case "breach":
        mustHold(false, each.what);
        break;
      case "ran": {
        const run = `attempt ${each.attempt} of ${each.id}`;
        const task = book.tasks.get(each.id);
        mustHold(task !== undefined && each.attempt <= task.attempt, `L9: ${run} ran, and is not stored`);
        mustHold(!book.ran.has(`${task.made.createdAt} ${run}`), `D4: ${run} ran twice`);
        book.ran.add(`${task.made.createdAt} ${run}`);
        const { checkpoint } = each;
        if (task.made.kind === "crawl" || task.made.kind === "leaf")
          mustHold(
            isDeepStrictEqual(checkpoint, checkpointBefore(task, each.attempt)),
            `D2: ${run} found checkpoint ${show(checkpoint)}, and the last was ${show(checkpointBefore(task, each.attempt))}`,
          );
        break;
      }
      case "stored":
        mustHold(book.tasks.has(each.id), `D1: task ${each.id} was told to be stored`);
        break;
      case "outcome":
        checkOutcome(book, each.outcome);
        break;
      case "checkpoint":
        mustHold(
          book.tasks
            .get(each.id)
            ?.checkpoints.some(
              ({ attempt, value }) => attempt === each.attempt && isDeepStrictEqual(value, each.value),
            ) === true,
          `D1: checkpoint ${show(each.value)} of ${each.id} was told to be stored`,
        );
        break;
      case "message": {
        const { message } = each;
        const kept = book.tasks.get(message.taskId)?.messages.find(({ id }) => id === message.id);
        mustHold(isDeepStrictEqual(kept, message), `D1: message ${message.id} was told to be stored`);
        break;
      }
      case "asked":
        mustHold(book.requests.has(each.request.id), `A1: request ${each.request.id} was seen, and is not stored`);
        break;
      case "closed":
        mustHold(
          isDeepStrictEqual(book.requests.get(each.request.id), each.request),
          `D1: the answer to ${each.request.id} was taken: ${show(each.request)}`,
        );
        break;
      case "tooLate": {
        const status = book.requests.get(each.requestId)?.status;
        mustHold(
          status !== undefined && status !== "open",
          `D1: ${each.requestId} was told to be closed, and is ${status}`,
        );
        break;
      }
      case "answer": {
        const task = book.tasks.get(each.id);
        const answers = task === undefined ? [] : book.requestsOf(task).filter(({ status }) => status === "answered");
        mustHold(
          answers.some(({ answer }) => isDeepStrictEqual(answer, each.value)),
          `D1: ${each.id} got the answer ${show(each.value)}`,
        );
        break;
      }
      case "up":
      case "opened":
      case "kept":
      case "recovered":
      case "event":
      case "closing":
      case "shut":
      case "half":
        break;
      default:
        each satisfies never;
    }
  }
}

/** What an attempt found: the last one stored before it. */
function checkpointBefore(task: BookTask, attempt: number): Json | undefined {
  return task.checkpoints.findLast((each) => each.attempt < attempt)?.value;
}

function checkOutcome(book: Book, outcome: TaskOutcome): void {
  const end = book.tasks.get(outcome.id)?.end;
  const what = `D1: ${outcome.id} was told to have ended: ${show(outcome)}, and it is ${show(end)}`;
  mustHold(end?.type === `task.${outcome.status}`, what);
  if (end.type === "task.succeeded" && outcome.status === "succeeded")
    mustHold(isApart(end) || isDeepStrictEqual(end.output, outcome.value), what);
  if (end.type === "task.failed" && outcome.status === "failed")
    mustHold(isDeepStrictEqual(end.error, outcome.error), what);
  if (end.type === "task.cancelled" && outcome.status === "cancelled") mustHold(end.reason === outcome.reason, what);
}

// ── what is restored ─────────────────────────────────────────────────────────

function checkView(book: Book, view: StoreView): void {
  mustHold(view.seq === book.lastSeq, `§2: the view is of event ${view.seq}, and the last is ${book.lastSeq}`);
  const records = shortened(view.list());
  checkRecords(book, records);
  const requests = (["open", "answered", "rejected", "expired", "withdrawn"] as const).flatMap((status) =>
    shortened(view.requests({ status })),
  );
  const there = new Set(records.map(({ id }) => id));
  checkRequests(
    book,
    requests,
    [...book.requests.values()].filter(({ taskId }) => there.has(taskId)),
  );
  for (const { id } of records) {
    const messages = shortened(view.messages(id));
    const task = book.tasks.get(id);
    mustHold(
      isDeepStrictEqual(messages, task?.messages),
      `§8: ${id} has the messages ${show(messages)}, not ${show(task?.messages)}`,
    );
  }
}

function checkRecords(book: Book, records: readonly TaskRecord[]): void {
  const there = new Map(records.map((record) => [record.id, record]));
  mustHold(there.size === records.length, "D4: a task is there twice");
  for (const task of book.tasks.values())
    mustHold(there.has(task.id) || book.isEvictable(task), `D6: ${task.id} is ${task.status}, and its record is gone`);
  for (const record of records) {
    const task = book.tasks.get(record.id);
    mustHold(task !== undefined, `§2: ${record.id} is there, and no event tells of it`);
    checkRecord(book, task, record);
  }
}

function checkRecord(book: Book, task: BookTask, record: TaskRecord): void {
  const { made, end } = task;
  const is = (field: string, value: unknown, expected: unknown): void =>
    mustHold(
      isDeepStrictEqual(value, expected),
      `§2: ${field} of ${task.id} is ${show(value)}, and must be ${show(expected)}`,
    );
  is("status", record.status, task.status);
  is("attempt", record.attempt, task.attempt);
  is("detached", record.detached, task.isDetached);
  is("startedAt", record.startedAt, task.startedAt);
  is("finishedAt", record.finishedAt, end?.at);
  is("usage", { ...record.usage }, task.usage);
  is("progress", record.progress, task.progress);
  is("summary", record.summary, task.summary);
  is("artifacts", record.artifacts, task.artifacts);
  is("runtime", record.runtime?.pid, task.startedAt === undefined && task.attempt === 1 ? undefined : task.pid);
  is("stopReason", record.stopReason, task.stop?.stopReason);
  for (const field of [
    "kind",
    "input",
    "sessionId",
    "parentId",
    "rootId",
    "callId",
    "createdAt",
    "tags",
    "metadata",
    "priority",
  ] as const)
    is(field, record[field], made[field]);
  is("error", record.error, end?.type === "task.failed" ? end.error : undefined);
  if (end?.type === "task.interrupted") {
    const { reason, attemptsUsed } = end;
    const words = attemptsUsed === undefined ? reason : `${reason}: its attempts are used up (${attemptsUsed})`;
    is("reason", record.reason, words);
  }
  if (end?.type !== "task.succeeded") is("output", record.output, undefined);
  else if (record.outputOmitted === undefined)
    mustHold(
      isApart(end) || isDeepStrictEqual(record.output, end.output),
      `D1: the output of ${task.id} is ${show(record.output)}`,
    );
  else mustHold(book.isEvictable(task), `D7: the output of ${task.id} is omitted: ${record.outputOmitted}`);
}

function checkRequests(book: Book, requests: readonly InboxRequest[], expected: readonly InboxRequest[]): void {
  const there = new Map(requests.map((request) => [request.id, request]));
  mustHold(there.size === requests.length, "A1: a request is there twice");
  for (const request of requests) {
    const known = book.requests.get(request.id);
    mustHold(isDeepStrictEqual(request, known), `A1: request ${show(request)} must be ${show(known)}`);
  }
  for (const { id, status } of expected) mustHold(there.has(id), `A3: request ${id} is ${status}, and is gone`);
}

/** D7: what is too long for the journal. */
async function checkOutputs(
  book: Book,
  records: readonly TaskRecord[],
  outputOf: (id: string) => Promise<Json | undefined>,
): Promise<void> {
  for (const { id } of records) {
    const task = book.tasks.get(id);
    const length = task?.end?.type === "task.succeeded" ? lengthOf(task.end.output) : 0;
    if (task === undefined || length <= 64 * 1024) continue;
    const output = shortened(await outputOf(id));
    mustHold(
      (output === undefined && book.isEvictable(task)) ||
        (task.end?.type === "task.succeeded" && isDeepStrictEqual(output, task.end.output)),
      `D7: the output of ${id}, of ${length} characters, is ${show(output)}`,
    );
  }
}

/** Of its text, before it was shortened. */
function lengthOf(output: Json | undefined): number {
  if (typeof output !== "object" || output === null || !("text" in output)) return 0;
  return typeof output["text"] === "string" ? Number.parseInt(output["text"], 10) : 0;
}

function seqOf(snapshot: Json | undefined): number {
  if (typeof snapshot !== "object" || snapshot === null || !("seq" in snapshot)) return 0;
  return Number(snapshot["seq"]);
}

/** Ended tasks that are kept for those below them. */
function pinnedIn(records: readonly TaskRecord[]): number {
  const parents = new Set(records.map(({ parentId }) => parentId));
  return records.filter(({ id }) => parents.has(id)).length;
}

function pictureOf(view: StoreView): unknown {
  return [view.list(), view.requests(), view.list().map(({ id }) => view.messages(id))];
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 600 ? `${text.slice(0, 600)}…` : text;
}
