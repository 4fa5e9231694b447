// Report: the result of one poll of a remote.
//
// Owns the check of a report, and writes its news to the task. A report that does not fit changes nothing: it is a
// `TypeError` that names the field (§12). Knows no clock and no request.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { takeQuestion } from "../../core/inbox/question.js";
import type { Artifact, ArtifactInput, LinksInput, Progress, TaskRecord, UsageReport } from "../../core/task/record.js";
import { FAILURE_CODES, type FailureCode } from "../../core/task/status.js";
import { checkKnown, checkOneOf, checkText, checkType } from "../../core/values/checks.js";
import { takeArtifact } from "../../session/artifact.js";
import { takeLinks, takeProgress, takeUsage } from "../../session/report.js";
import type { TaskContext } from "../../session/session.js";

/**
 * A report of a remote that waits for a person. One request in the inbox stands for the question, however often the
 * remote is polled.
 */
export interface AskingReport {
  /** The remote waits for an answer. */
  status: "asking";
  /**
   * The name of the question. The same key in a later report, in a retry or after a restart is the same request;
   * another question needs another key.
   */
  key: string;
  /** The text of the question, for the person who answers. */
  question: string;
  /** `"approval"`: the answer is yes or no. */
  kind?: "approval" | undefined;
  /** The possible answers. Default: any text, or any value that `schema` accepts. */
  choices?: readonly string[] | undefined;
  /** Checks the answer. `choices` and `schema` exclude each other. */
  schema?: StandardSchemaV1 | undefined;
  /** Any JSON value, for the person who answers. */
  details?: unknown;
  /** The request expires this long after its first report. Milliseconds ≥ 0; default never. */
  timeoutMs?: number | undefined;
}

/**
 * The result of one poll of a remote: news, and whether the work runs, asks or has ended. A report that does not fit is
 * logged, and the remote is polled again.
 */
export type ReconcileReport<R> = {
  /** The progress of the work. An unchanged progress is no news. */
  progress?: Progress | undefined;
  /** A short text about the state of the work. An unchanged summary is no news. */
  summary?: string | undefined;
  /** The usage since the last report. */
  usage?: UsageReport | undefined;
  /** Ids under which the work is found elsewhere. Known links are no news. */
  links?: LinksInput | undefined;
  /**
   * The artifacts made since the last report. An artifact by path or url that the task already has is not added again.
   */
  artifacts?: readonly ArtifactInput[] | undefined;
} & (
  | {
      /** The work continues; the remote is polled again. */
      status: "running";
    }
  | AskingReport
  | {
      /** The work has succeeded, and the task with it. */
      status: "succeeded";
      /** The result of the task; the `output` schema of the kind checks it. */
      value: R;
    }
  | {
      /** The work has failed, and the task with it. */
      status: "failed";
      /** The message of the failure. */
      message: string;
      /** The code of the failure; default `"error"`. */
      code?: FailureCode | undefined;
    }
  | {
      /** The work was cancelled where it runs: the task is stopped too. */
      status: "cancelled";
      /** The reason of the stop. */
      reason: string;
    }
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

/** Throws a `TypeError` or `RangeError` that names the first field that does not fit. */
export function checkReport<R>(report: unknown): asserts report is ReconcileReport<R> {
  checkType("the report", report, "object");
  const { status, message, code, reason, artifacts, ...more } = report as { [field: string]: unknown };
  checkType("the report's status", status, "string");
  checkOneOf("the report's status", status, Object.keys(FIELDS));
  const { status: checked } = report as ReconcileReport<R>;
  checkKnown(`a report that is ${JSON.stringify(checked)}`, report as object, FIELDS[checked]);
  if (artifacts !== undefined && !Array.isArray(artifacts))
    throw new TypeError("the report's artifacts must be a list");
  if (checked === "failed") {
    checkType("the report's message", message, "string");
    checkOneOf("the report's code", code, FAILURE_CODES);
  }
  if (checked === "cancelled") {
    checkType("the report's reason", reason, "string");
    checkText("the report's reason", reason);
  }
  if (checked === "asking") {
    checkType("the report's key", more["key"], "string");
    checkOneOf("the report's kind", more["kind"], ["approval"]);
    const { question, isApproval } = questionOf(report as AskingReport);
    takeQuestion(question, isApproval);
  }
}

/** The question of a report, as `ctx.ask` or `ctx.approve` takes it. */
export function questionOf({ kind, key, question, choices, schema, details, timeoutMs }: AskingReport) {
  // Absent fields are left out, because an approval accepts neither of them.
  const answers = { ...(choices === undefined ? {} : { choices }), ...(schema === undefined ? {} : { schema }) };
  return { isApproval: kind === "approval", question: { key, question, details, timeoutMs, ...answers } };
}

/** Writes the news in the reports of one attempt to its task. */
export class News {
  readonly #ctx: TaskContext;
  /** The places of the artifacts that the task has; read from its record with the first report that has artifacts. */
  #made: Set<string | undefined> | undefined;

  constructor(ctx: TaskContext) {
    this.#ctx = ctx;
  }

  /** Writes the news and returns whether there were any. */
  write({ progress, summary, usage, links, artifacts = [] }: ReconcileReport<unknown>): boolean {
    const { record } = this.#ctx;
    // Each part is checked before the first is written: a report that is polled again was not written in part.
    if (progress !== undefined) takeProgress(progress);
    if (usage !== undefined) takeUsage(usage);
    if (links !== undefined) takeLinks(links);
    if (summary !== undefined) checkType("summary", summary, "string");
    const added = this.#added(artifacts);
    const isFurther = progress !== undefined && !isSame(progress, record.progress);
    const isSummarized = summary !== undefined && summary !== record.summary;
    const isLinked = links !== undefined && !isWithin(links, record.links);
    if (isFurther) this.#ctx.progress(progress);
    if (isSummarized) this.#ctx.summary(summary);
    if (isLinked) this.#ctx.link(links);
    for (const [place, artifact] of added) {
      this.#ctx.artifact(artifact);
      this.#made?.add(place);
    }
    if (usage !== undefined) this.#ctx.reportUsage(usage);
    this.#ctx.heartbeat();
    return isFurther || isSummarized || isLinked || added.length > 0 || usage !== undefined;
  }

  /**
   * The new artifacts with their places. An artifact with data is always new, because chunks of one name may be equal.
   * Each artifact is checked before the first is written.
   */
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
