// Report: what a function, or the poll of a remote, says of its task, as it is taken: progress, usage, links.
//
// Each is checked whole before anything is written, so that a misspelt field is refused by name and replaces nothing (§12).

import type { LinksInput, Progress, TaskLinks, UsageReport } from "../core/task/record.js";
import { checkFields, checkFinite, checkTags, checkText, checkType } from "../core/values/checks.js";

const PROGRESS = ["current", "total", "unit", "label"] as const satisfies readonly (keyof Progress)[];

/** A frozen copy. */
export function takeProgress(progress: Progress): Progress {
  checkFields("progress", progress, PROGRESS);
  const { current, total, unit, label } = progress;
  checkFinite("progress.current", current);
  checkFinite("progress.total", total);
  if (unit !== undefined) checkType("progress.unit", unit, "string");
  if (label !== undefined) checkType("progress.label", label, "string");
  return Object.freeze({
    ...(current === undefined ? {} : { current }),
    ...(total === undefined ? {} : { total }),
    ...(unit === undefined ? {} : { unit }),
    ...(label === undefined ? {} : { label }),
  });
}

const USAGE = ["inputTokens", "outputTokens", "costUsd"] as const satisfies readonly (keyof UsageReport)[];

/** A frozen copy. `RangeError`: less than nothing. */
export function takeUsage(report: UsageReport): UsageReport {
  checkFields("usage", report, USAGE);
  const { inputTokens, outputTokens, costUsd } = report;
  checkAmount("inputTokens", inputTokens);
  checkAmount("outputTokens", outputTokens);
  checkAmount("costUsd", costUsd);
  return Object.freeze({ inputTokens, outputTokens, costUsd });
}

function checkAmount(field: string, value: number | undefined): void {
  checkFinite(field, value);
  if (value !== undefined && value < 0) throw new RangeError(`${field} must be ≥ 0, got ${value}`);
}

const LINKS = ["childSessionId", "remoteTaskId", "resourceIds"] as const satisfies readonly (keyof LinksInput)[];

/** The given fields alone, frozen. */
export function takeLinks(links: LinksInput): TaskLinks {
  checkFields("links", links, LINKS);
  const { childSessionId, remoteTaskId, resourceIds } = links;
  checkText("links.childSessionId", childSessionId);
  checkText("links.remoteTaskId", remoteTaskId);
  checkTags("links.resourceIds", resourceIds);
  return Object.freeze({
    ...(childSessionId === undefined ? {} : { childSessionId }),
    ...(remoteTaskId === undefined ? {} : { remoteTaskId }),
    ...(resourceIds === undefined ? {} : { resourceIds: Object.freeze([...resourceIds]) }),
  });
}
