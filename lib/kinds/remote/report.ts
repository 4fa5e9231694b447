// Report: what a poll of a remote found.
//
// Owns the check of a report, and how its news become writes of the task. A report that does not fit changes nothing: it is a `TypeError`
// that names the field (§12). Knows no clock and no request.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { takeQuestion } from "../../core/inbox/question.js";
import type { Artifact, ArtifactInput, LinksInput, Progress, TaskRecord, UsageReport } from "../../core/task/record.js";
import { FAILURE_CODES, type FailureCode } from "../../core/task/status.js";
import { checkKnown, checkOneOf, checkText, checkType } from "../../core/values/checks.js";
import { takeArtifact } from "../../session/artifact.js";
import { takeLinks, takeProgress, takeUsage } from "../../session/report.js";
import type { TaskContext } from "../../session/session.js";

/** The remote waits for a person. One request of the task in the inbox stands for the question, however often the remote is polled. */
export interface AskingReport {
  status: "asking";
  /** Names the question: the same key in a later report, a retry or after a restart is the same request. Another question needs another key. */
  key: string;
  question: string;
  /** `"approval"`: the answer is yes or no. */
  kind?: "approval" | undefined;
  choices?: readonly string[] | undefined;
  /** Checks the answer. `choices` and `schema` exclude each other. */
  schema?: StandardSchemaV1 | undefined;
  /** Any value that JSON can carry, for the person who answers. */
  details?: unknown;
  /** The request expires this long after the first report of it. Milliseconds ≥ 0; default never. */
  timeoutMs?: number | undefined;
}

/**
 * The result of one poll of a remote: news, a question, or the end. `usage` and `artifacts` are what was used and made since the last report; an
 * artifact by path or url that the task already has is not added again. A report that does not fit is logged, and the remote is polled again.
 */
export type ReconcileReport<R> = {
  progress?: Progress | undefined;
  summary?: string | undefined;
  usage?: UsageReport | undefined;
  links?: LinksInput | undefined;
  artifacts?: readonly ArtifactInput[] | undefined;
} & (
  | { status: "running" }
  | AskingReport
  | { status: "succeeded"; value: R }
  | { status: "failed"; message: string; code?: FailureCode | undefined }
  | { status: "cancelled"; reason: string }
);

const NEWS = ["status", "progress", "summary", "usage", "links", "artifacts"] as const;
const QUESTION = ["key", "question", "kind", "choices", "schema", "details", "timeoutMs"] as const;

const FIELDS: { readonly [status in ReconcileReport<never>["status"]]: ReadonlySet<string> } = {
  running: new Set(NEWS),
  asking: new Set([...NEWS, ...QUESTION]),
  succeeded: new Set([...NEWS, "value"]),
  failed: new Set([...NEWS, "message", "code"]),
  cancelled: new Set([...NEWS, "reason"]),
};

export function checkReport<R>(report: unknown): asserts report is ReconcileReport<R> {
  checkType("the report", report, "object");
  const { status, message, code, reason, artifacts, ...more } = report as { [field: string]: unknown };
  checkType("the report's status", status, "string");
  checkOneOf("the report's status", status, Object.keys(FIELDS));
  const { status: told } = report as ReconcileReport<R>;
  checkKnown(`a report that is ${JSON.stringify(told)}`, report as object, FIELDS[told]);
  if (artifacts !== undefined && !Array.isArray(artifacts))
    throw new TypeError("the report's artifacts must be a list");
  if (told === "failed") {
    checkType("the report's message", message, "string");
    checkOneOf("the report's code", code, FAILURE_CODES);
  }
  if (told === "cancelled") {
    checkType("the report's reason", reason, "string");
    checkText("the report's reason", reason);
  }
  if (told === "asking") {
    checkType("the report's key", more["key"], "string");
    checkOneOf("the report's kind", more["kind"], ["approval"]);
    const { question, isApproval } = questionOf(report as AskingReport);
    takeQuestion(question, isApproval);
  }
}

/** The question as `ctx.ask`, or `ctx.approve`, takes it. */
export function questionOf({ kind, key, question, choices, schema, details, timeoutMs }: AskingReport) {
  // Left out where there are none: an approval has neither.
  const answers = { ...(choices === undefined ? {} : { choices }), ...(schema === undefined ? {} : { schema }) };
  return { isApproval: kind === "approval", question: { key, question, details, timeoutMs, ...answers } };
}

/** Writes what is new of the reports of one attempt to its task. */
export class News {
  readonly #ctx: TaskContext;
  /** The artifacts by path or url that the task has; read from its record when the first report has any. */
  #made: Set<string | undefined> | undefined;

  constructor(ctx: TaskContext) {
    this.#ctx = ctx;
  }

  /** Whether there was anything new. */
  write({ progress, summary, usage, links, artifacts = [] }: ReconcileReport<unknown>): boolean {
    const { record } = this.#ctx;
    // Each part is checked before the first is written: a report that is polled again must not have been written in part.
    if (progress !== undefined) takeProgress(progress);
    if (usage !== undefined) takeUsage(usage);
    if (links !== undefined) takeLinks(links);
    if (summary !== undefined) checkType("summary", summary, "string");
    const added = this.#added(artifacts);
    const isFurther = progress !== undefined && !isSame(progress, record.progress);
    const isSaid = summary !== undefined && summary !== record.summary;
    const isLinked = links !== undefined && !isWithin(links, record.links);
    if (isFurther) this.#ctx.progress(progress);
    if (isSaid) this.#ctx.summary(summary);
    if (isLinked) this.#ctx.link(links);
    for (const [place, artifact] of added) {
      this.#ctx.artifact(artifact);
      this.#made?.add(place);
    }
    if (usage !== undefined) this.#ctx.reportUsage(usage);
    this.#ctx.heartbeat();
    return isFurther || isSaid || isLinked || added.length > 0 || usage !== undefined;
  }

  /** The new artifacts, by place. A chunk of data always is: chunks of one name may be equal. Each is checked before the first is written. */
  #added(artifacts: readonly ArtifactInput[]): readonly (readonly [place: string | undefined, ArtifactInput])[] {
    if (artifacts.length === 0) return [];
    this.#made ??= new Set(this.#ctx.record.artifacts.map(placeOf));
    const made = this.#made;
    return artifacts
      .map((artifact) => [placeOf(takeArtifact(artifact)), artifact] as const)
      .filter(([place]) => place === undefined || !made.has(place));
  }
}

function placeOf(artifact: Artifact): string | undefined {
  if ("data" in artifact) return undefined;
  return JSON.stringify(Object.entries(artifact).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function isSame(a: Progress, b: Progress | undefined): boolean {
  return b !== undefined && a.current === b.current && a.total === b.total && a.unit === b.unit && a.label === b.label;
}

function isWithin({ childSessionId, remoteTaskId, resourceIds = [] }: LinksInput, known: TaskRecord["links"]): boolean {
  return (
    (childSessionId === undefined || childSessionId === known.childSessionId) &&
    (remoteTaskId === undefined || remoteTaskId === known.remoteTaskId) &&
    resourceIds.every((id) => known.resourceIds?.includes(id))
  );
}
