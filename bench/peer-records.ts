// Peer records: what a program keeps and tells of its tasks when it composes the rest from libraries.
//
// The same for every peer of spawn.ts (p-queue, p-limit, Effect, effection), so that they differ in who runs the work alone:
// a record that goes queued, running and to its end, and an event at its start and at its end.
import { EventEmitter } from "eventemitter3";

export interface PeerRecord {
  readonly id: string;
  status: "queued" | "running" | "succeeded" | "failed" | "cancelled";
  readonly createdAt: number;
  startedAt: number | undefined;
  finishedAt: number | undefined;
}
export interface PeerEvent {
  readonly type: "task.started" | "task.ended";
  readonly at: number;
  readonly taskId: string;
}
/** A job that names no parameter is given no signal by those who can tell. */
export type PeerJob = (signal: AbortSignal) => Promise<number>;

/** Who runs the work. */
export interface Peer {
  readonly records: PeerRecords;
  /** Spawns so many tasks and awaits every one; the sum of what they gave. */
  runAll(job: PeerJob, tasks: number): Promise<number>;
}

export class PeerRecords {
  readonly events = new EventEmitter<{ [K in PeerEvent["type"]]: [PeerEvent] }>();
  #count = 0;

  create(): PeerRecord {
    return {
      id: `task_${(this.#count += 1)}`,
      status: "queued",
      createdAt: Date.now(),
      startedAt: undefined,
      finishedAt: undefined,
    };
  }

  start(record: PeerRecord): void {
    record.status = "running";
    record.startedAt = Date.now();
    this.events.emit("task.started", { type: "task.started", at: record.startedAt, taskId: record.id });
  }

  end(record: PeerRecord, status: "succeeded" | "failed" | "cancelled"): void {
    record.status = status;
    record.finishedAt = Date.now();
    this.events.emit("task.ended", { type: "task.ended", at: record.finishedAt, taskId: record.id });
  }
}
