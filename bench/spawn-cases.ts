// Spawn cases: so many tasks, from the call that starts the first to everything awaited. On errand in several settings, and on its peers.
//
// Each run makes its own queue or manager, and throws if a task was not done or an event not heard. The jobs do nothing: what is measured
// is the orchestrator. One listener hears each start and one each end. Used by spawn.ts, cold-steady.ts, growth.ts and first-tasks.ts.
import { type TaskContext, TaskManager } from "errand";
import { ByHand, onPLimit, onPQueue } from "./by-hand.js";
import { type Case, check } from "./interleave.js";
import { OnEffect } from "./on-effect.js";
import { OnEffection } from "./on-effection.js";
import type { Peer, PeerJob } from "./peer-records.js";

/** So many at a time. */
export const concurrency = 8;
/** What the job does with its signal. */
export const forms = ["ignores", "reads"] as const;
export type Form = (typeof forms)[number];
const ignores = async (): Promise<number> => 1;
const peerJob: { readonly [F in Form]: PeerJob } = { ignores, reads: async (signal) => (signal.aborted ? 0 : 1) };
const errandJob: { readonly [F in Form]: (ctx: TaskContext) => Promise<number> } = {
  ignores,
  reads: async (ctx) => (ctx.signal.aborted ? 0 : 1),
};

export interface PeerKind {
  readonly name: string;
  readonly make: () => Peer;
  /** What takes a hundred times as long does a tenth of the tasks. */
  readonly share: number;
}
export const peers = {
  onPQueue: { name: "by hand on p-queue", make: () => new ByHand(onPQueue(concurrency)), share: 1 },
  onPLimit: { name: "by hand on p-limit", make: () => new ByHand(onPLimit(concurrency)), share: 1 },
  inEffect: { name: "on Effect, forked inside", make: () => new OnEffect(concurrency, "inside"), share: 1 },
  besideEffect: { name: "on Effect, forked outside", make: () => new OnEffect(concurrency, "outside"), share: 1 },
  onEffection: { name: "on effection", make: () => new OnEffection(concurrency), share: 0.1 },
} satisfies { readonly [peer: string]: PeerKind };

export function onPeer({ name, make, share }: PeerKind, form: Form, n: number): Case {
  const tasks = Math.ceil(n * share);
  return {
    name: `${name}, ${form}`,
    units: tasks,
    prepare: () => {
      const peer = make();
      const { events } = peer.records;
      const heard = { started: 0, ended: 0 };
      events.on("task.started", () => {
        heard.started += 1;
      });
      events.on("task.ended", () => {
        heard.ended += 1;
      });
      let sum = 0;
      return {
        work: async () => {
          sum = await peer.runAll(peerJob[form], tasks);
        },
        finish: () => {
          check(name, sum, tasks);
          check(`${name}: events`, heard.started + heard.ended, 2 * tasks);
        },
      };
    },
  };
}

export interface Setting {
  readonly name: string;
  readonly hears: readonly ("task.created" | "task.started" | "task.succeeded")[];
  readonly ambient: boolean;
  /** Results stay unread: the end is `idle()`, not `awaitTasks` of all handles. */
  readonly unread: boolean;
}
const plain: Setting = {
  name: "errand",
  hears: ["task.started", "task.succeeded"],
  ambient: true,
  unread: false,
};
export const settings = {
  errand: plain,
  unread: { ...plain, name: "errand unread", unread: true },
  noListeners: { ...plain, name: "errand no listeners", hears: [] },
  hearsCreated: { ...plain, name: "errand hears task.created too", hears: ["task.created", ...plain.hears] },
  ambientOff: { ...plain, name: "errand ambient off", ambient: false },
} satisfies { readonly [setting: string]: Setting };

export function onErrand({ name, hears, ambient, unread }: Setting, form: Form, n: number): Case {
  return {
    name: `${name}, ${form}`,
    units: n,
    prepare: () => {
      const manager = new TaskManager({ concurrency, ambient, limits: { maxQueued: n } });
      let heard = 0;
      for (const type of hears) {
        manager.on(type, () => {
          heard += 1;
        });
      }
      let sum = 0;
      const job = errandJob[form];
      return {
        work: async () => {
          if (unread) {
            for (let spawned = 0; spawned < n; spawned += 1) manager.spawn(job);
            await manager.idle();
            return;
          }
          const handles = Array.from({ length: n }, () => manager.spawn(job));
          const { ended } = await manager.awaitTasks(handles);
          for (const outcome of ended) if (outcome.status === "succeeded") sum += outcome.value;
        },
        finish: async () => {
          if (!unread) check(name, sum, n);
          check(`${name}: events`, heard, hears.length * n);
          await manager.close();
        },
      };
    },
  };
}
