// The audit, told in tasks. Read this file first: everything errand does for the audit is here, and nothing else is.
//
//   lead                     plans, hands each package to a subagent, counts those that end
//   └─ one per package       lets its children check, then asks about what looks risky
//      └─ manifest, licence, size, code, files
//
// A task that waits, for its children or for a person, lends its slot: with `--concurrency 1` the same audit still comes to its end.
// Lead and packages are kinds, so that with a store a restart goes on with them: the packages that were done stay done, and what was
// asked stays asked.

import {
  defineKind,
  type Inbox,
  type InboxRequest,
  isErrandError,
  type Session,
  type TaskContext,
  type TaskHandle,
  TaskManager,
} from "errand";
import { fileStore } from "errand/stores/file";

import { type Verification, verify } from "./integrity.js";
import { identifyLicence, type Licence } from "./licence.js";
import { readManifest } from "./manifest.js";
import { measure, type Size } from "./measure.js";
import { makePlan, type Planned } from "./plan.js";
import type { Verdict } from "./policy.js";
import { type Risk, risksOf } from "./risks.js";
import { type CodeScan, scanCode } from "./scan.js";

export interface PackageAudit {
  readonly name: string;
  readonly version: string;
  readonly path: string;
  readonly licence: Licence;
  readonly size: Size;
  readonly code: CodeScan;
  readonly files: Verification;
  readonly risks: readonly (Risk & { readonly accepted: boolean })[];
  readonly notes: readonly string[];
}

interface Project {
  readonly project: string;
}
interface PackageInput {
  readonly planned: Planned;
  readonly priority: number;
}

const CHECK_TIMEOUT_MS = 60_000;

const packageKind = defineKind({ name: "package", canReattach: () => true, run: auditPackage });

const leadKind = defineKind<void, Project, Project, void, readonly Planned[]>({
  name: "audit",
  canReattach: () => true,
  run: async (ctx, { project }) => {
    // Planned once: a restart goes on with the plan it had.
    const plan =
      ctx.lastCheckpoint ?? (await ctx.spawn(({ signal }) => makePlan(project, signal), { title: "plan" }).result());
    await ctx.checkpoint(plan);
    const packages = plan.map((planned, index) => {
      const priority = -index; // Earlier packages go first, and so do their children.
      const { path } = planned.pkg;
      const title = path.replace("node_modules/", "");
      const id = `${ctx.id} ${path}`; // By which a restarted lead finds it again.
      return ctx.spawn(packageKind, { input: { planned, priority }, id, title, priority, tags: ["package"] });
    });

    let ended = 0;
    ctx.progress({ current: ended, total: plan.length, unit: "packages" });
    for await (const _ of ctx.outcomes(packages)) {
      ctx.progress({ current: ++ended, total: plan.length, unit: "packages" });
    }
  },
});

/** With a folder for a store, what is done outlives the process, and the next one goes on with the rest. */
export async function openManager(concurrency: number, store: string | undefined): Promise<TaskManager> {
  return TaskManager.open({
    store: store === undefined ? undefined : fileStore(store),
    kinds: [leadKind, packageKind],
    concurrency,
    agingMs: 3_600_000, // A step of priority outweighs an hour in line: a package that was begun goes before the next.
    limits: { maxQueued: Infinity },
    retention: { maxFinished: Infinity }, // The report is read from the tasks and requests that have ended.
  });
}

/** The audit of this project that was left unfinished in the store, or a new one. */
export function startAudit(session: Session, project: string, timeoutMs?: number): TaskHandle<void> {
  const left = session
    .list({ kind: leadKind.name, status: ["queued", "running", "blocked"] })
    .find(({ title }) => title === project);
  const lead = left === undefined ? undefined : session.get(left.id, leadKind);
  return (
    lead ?? session.spawn(leadKind, { input: { project }, title: project, priority: 1, totalTimeoutMs: timeoutMs })
  );
}

/** The packages of an audit, in the order of its plan. */
export function packagesOf(session: Session, lead: TaskHandle): TaskHandle<PackageAudit>[] {
  const records = session.list({ parentId: lead.id, tags: ["package"] });
  return records.flatMap(({ id }) => session.get(id, packageKind) ?? []);
}

async function auditPackage(ctx: TaskContext, { planned, priority }: PackageInput): Promise<PackageAudit> {
  const { pkg, locked } = planned;
  const check = (title: string) => ({ title, priority, timeoutMs: CHECK_TIMEOUT_MS });
  const manifest = await ctx.spawn(({ signal }) => readManifest(pkg, signal), check("manifest")).result();
  const { identity, version } = manifest;

  const licenceCheck = ctx.spawn(
    ({ signal }) => identifyLicence(pkg.folder, manifest.licence, signal),
    check("licence"),
  );
  const sizeCheck = ctx.spawn(({ signal }) => measure(pkg.folder, signal), check("size"));
  const codeCheck = ctx.spawn(
    (task) => scanCode(pkg.folder, task.signal, (current, total) => task.progress({ current, total, unit: "files" })),
    check("code"),
  );
  const filesCheck = ctx.spawn(({ signal }) => verify(pkg.folder, version, locked, signal), check("files"));
  let ended = 1;
  for await (const _ of ctx.outcomes([licenceCheck, sizeCheck, codeCheck, filesCheck])) {
    ctx.progress({ current: ++ended, total: 5, unit: "checks" });
  }
  // All have ended, so these are at hand; one that failed throws here, and with it the audit of this package.
  const [licence, size] = [await licenceCheck.result(), await sizeCheck.result()];
  const [code, files] = [await codeCheck.result(), await filesCheck.result()];

  const risks: (Risk & { accepted: boolean })[] = [];
  for (const risk of risksOf(manifest, licence, files)) {
    risks.push({ ...risk, accepted: await isAccepted(ctx, identity.id, risk) });
  }
  const answers = risks.map(({ words, accepted }) => `${words} (${accepted ? "approved" : "denied"})`);
  ctx.summary([licence.name, files.status, ...answers].join(" · "));
  const notes = [...identity.doubts, ...manifest.problems, ...licence.problems];
  return { name: pkg.name, version: identity.version, path: pkg.path, licence, size, code, files, risks, notes };
}

/** Asks through the inbox, and holds no slot until somebody has answered. */
async function isAccepted(ctx: TaskContext, pkg: string, risk: Risk): Promise<boolean> {
  try {
    const key = `${risk.kind} ${pkg}`; // What a policy's rules are about.
    await ctx.approve(`${pkg} ${risk.words}. Accept it?`, { key, details: { package: pkg, ...risk } });
    return true;
  } catch (error) {
    if (isErrandError(error, "REQUEST_REJECTED")) return false;
    throw error; // A cancel, for one.
  }
}

/** One who answers until `signal` aborts: a policy, a person. Several may watch; `undefined` leaves a request to the others. */
export async function answerRequests(
  inbox: Inbox,
  decide: (request: InboxRequest) => Verdict | undefined | Promise<Verdict | undefined>,
  signal: AbortSignal,
): Promise<void> {
  for await (const request of inbox.watch({ signal })) {
    const verdict = await decide(request);
    if (verdict === undefined || inbox.get(request.id)?.status !== "open") continue; // Its task may be stopped by now.
    if (verdict.approved) await inbox.answer(request.id, true, { by: verdict.by });
    else await inbox.reject(request.id, verdict.reason, { by: verdict.by });
  }
}
