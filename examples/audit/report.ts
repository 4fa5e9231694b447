// What the audit found, for people (`formatReport`) and for programs (the `Report` itself, as JSON).
//
// Made from the tasks and requests that have ended, so a cancelled audit has a report like any other: it only says less.

import type { InboxRequest, Session, TaskHandle, TaskManager, TaskOutcome } from "errand";

import { type PackageAudit, packagesOf } from "./audit.js";
import { formatBytes } from "./measure.js";
import { printable, rootMessage } from "./printable.js";
import type { CodeScan } from "./scan.js";

export interface Report {
  readonly project: string;
  readonly status: "complete" | "cancelled" | "timed out" | "failed";
  /** Why it is not complete. */
  readonly reason?: string;
  readonly packages: readonly PackageAudit[];
  readonly failed: readonly { readonly package: string; readonly why: string }[];
  readonly notDone: readonly { readonly package: string; readonly begun: boolean }[];
  readonly decisions: readonly Decision[];
  readonly totals: Totals;
  /** Everything was audited, nothing failed, nothing was denied. */
  readonly clean: boolean;
  summary?: string;
}
export interface Decision {
  readonly request: string;
  readonly question: string;
  readonly decision: "approved" | "denied";
  readonly by: string;
  readonly reason?: string;
}
export interface Totals {
  readonly packages: number;
  readonly files: number;
  readonly bytes: number;
  readonly licences: { readonly [licence: string]: number };
  readonly verification: { readonly [answer: string]: number };
}

const COLUMNS = ["package", "version", "licence", "size", "files", "lockfile", "findings"];

export async function makeReport(
  manager: TaskManager,
  session: Session,
  lead: TaskHandle<void>,
  project: string,
): Promise<Report> {
  const handles = packagesOf(session, lead);
  const { outcomes } = await manager.awaitTasks(handles); // All have ended: the lead ends after its children (H1).
  const packages: PackageAudit[] = [];
  const failed: { package: string; why: string }[] = [];
  const notDone: { package: string; begun: boolean }[] = [];
  for (const [index, { record }] of handles.entries()) {
    const outcome = outcomes[index];
    const name = record.title ?? record.id;
    if (outcome?.status === "succeeded") packages.push(outcome.value);
    else if (outcome?.status === "failed") failed.push({ package: name, why: rootMessage(outcome.error) });
    else notDone.push({ package: name, begun: record.startedAt !== undefined });
  }

  const asked = new Set(handles.map(({ id }) => id)); // A store may have other audits too.
  const decisions = [...manager.inbox.list({ status: "answered" }), ...manager.inbox.list({ status: "rejected" })]
    .filter(({ taskId }) => asked.has(taskId))
    .map(decisionOf);
  const { status, reason } = endOf(await lead.outcome());
  const clean =
    status === "complete" && failed.length === 0 && decisions.every(({ decision }) => decision === "approved");
  return {
    project,
    status,
    ...(reason && { reason }),
    packages,
    failed,
    notDone,
    decisions,
    totals: totalsOf(packages),
    clean,
  };
}

export function formatReport(report: Report): string {
  const { packages, failed, notDone, decisions, totals } = report;
  const noted = packages.filter((pkg) => {
    return pkg.risks.length > 0 || pkg.licence.class !== "permissive" || abilitiesOf(pkg.code).length > 0;
  });
  const answers = decisions.map(({ decision, question, by, reason }) => {
    return `${decision.padEnd(8)}  ${question}  by ${by}${reason === undefined ? "" : `: ${reason}`}`;
  });
  const left = [
    ["begun", notDone.filter(({ begun }) => begun)],
    ["not begun", notDone.filter(({ begun }) => !begun)],
  ] as const;
  const why = report.reason === undefined ? "" : ` (${report.reason})`;
  return [
    section("Worth a look", noted.length === 0 ? [] : table([COLUMNS, ...noted.map(rowOf)])),
    section("Asked and answered", answers),
    section(
      "Failed",
      failed.map((each) => `${each.package}: ${each.why}`),
    ),
    section(
      "Not done",
      left.flatMap(([how, them]) =>
        them.length === 0 ? [] : `${how}: ${them.map((each) => each.package).join(", ")}`,
      ),
    ),
    section("Summary", report.summary?.split("\n") ?? []),
    section("Totals", [
      `packages: ${packages.length} audited, ${failed.length} failed, ${notDone.length} not done`,
      `size: ${formatBytes(totals.bytes)} in ${totals.files} files`,
      `licences: ${counts(totals.licences)}`,
      `files against the lockfile: ${counts(totals.verification)}`,
    ]),
    `Audit of ${report.project}: ${report.status}${why}, ${report.clean ? "clean" : "not clean"}.`,
  ]
    .filter((text) => text !== "")
    .join("\n\n");
}

function endOf(outcome: TaskOutcome): Pick<Report, "status" | "reason"> {
  if (outcome.status === "succeeded") return { status: "complete" };
  if (outcome.status !== "failed") return { status: "cancelled", reason: outcome.reason };
  return {
    status: outcome.error.code === "total_timeout" ? "timed out" : "failed",
    reason: rootMessage(outcome.error),
  };
}

function decisionOf(request: InboxRequest): Decision {
  const { key = request.id, question, by = "no person", reason } = request;
  return {
    request: key,
    question,
    decision: request.status === "answered" ? "approved" : "denied",
    by,
    ...(reason && { reason }),
  };
}

function totalsOf(packages: readonly PackageAudit[]): Totals {
  return {
    packages: packages.length,
    files: packages.reduce((sum, pkg) => sum + pkg.size.files, 0),
    bytes: packages.reduce((sum, pkg) => sum + pkg.size.bytes, 0),
    licences: countBy(packages.map((pkg) => pkg.licence.name)),
    verification: countBy(
      packages.map(({ files }) =>
        files.status === "not verifiable" ? `${files.status} (${files.why})` : files.status,
      ),
    ),
  };
}

function rowOf({ name, version, licence, size, code, files, risks }: PackageAudit): string[] {
  const asked = risks.map(({ kind, accepted }) => `${accepted ? "approved" : "DENIED"} ${kind}`);
  const findings = [...asked, ...abilitiesOf(code)].join(", ");
  return [name, version, licence.name, formatBytes(size.bytes), String(size.files), files.status, findings];
}

function abilitiesOf({ seen }: CodeScan): string[] {
  return Object.entries(seen).flatMap(([ability, files]) => (files.length > 0 ? ability : []));
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : [title, ...lines.map((line) => `  ${printable(line)}`)].join("\n");
}

function countBy(words: readonly string[]): { [word: string]: number } {
  const counted: { [word: string]: number } = {};
  for (const word of words.toSorted()) counted[word] = (counted[word] ?? 0) + 1;
  return counted;
}

function counts(counted: { readonly [word: string]: number }): string {
  const all = Object.entries(counted)
    .toSorted(([, a], [, b]) => b - a)
    .map(([word, count]) => `${count} ${word}`);
  return all.length === 0 ? "none" : all.join(", ");
}
