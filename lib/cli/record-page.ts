// Record page: shows the record of a task in groups of fields: state, place, times, results, input, output and stack.

import type { Budget, FailureCause, Json, TaskRecord } from "errand";
import { clockTime, describeDuration, relative } from "./duration.js";
import { aligned, type Row, type Span } from "./line.js";
import { idWord, jsonText, printableLines, shortened } from "./printable.js";
import { describeCounts, statusSpan } from "./status.js";
import {
  count,
  describeProgress,
  describeReason,
  describeUsage,
  describeWaits,
  failurePhrase,
  kindOf,
  labelOf,
  phrase,
  type Setting,
  valuePhrase,
} from "./task-text.js";

/** Limits for a value or a stack on the page. */
const VALUE_LINES = 20;
const VALUE_COLUMNS = 200;
const STACK_LINES = 8;

type Field = readonly [name: string, value: Span | string | undefined];

/** The rows of the record: a heading, the fields that have a value in groups, then input, output and stack. */
export function recordLines(task: TaskRecord, children: readonly TaskRecord[], setting: Setting): Row[] {
  const head: Row = [{ text: idWord(task.id), style: "strong" }, `  ${kindOf(task)}  ${labelOf(task)}`.trimEnd()];
  const groups = [
    stateFields(task, setting),
    placeFields(task, children),
    timeFields(task, setting.now),
    workFields(task),
  ];
  return [
    head,
    ...groups
      .map(fieldLines)
      .filter((lines) => lines.length > 0)
      .flatMap((lines) => [...lines, []])
      .slice(0, -1),
    ...valueLines("input", task.input),
    ...valueLines("output", task.output),
    ...stackLines(task),
  ];
}

function stateFields(task: TaskRecord, setting: Setting): Field[] {
  const { attempt, blockedOn, cancelRequestedAt, stopReason, reason, progress, summary, error } = task;
  const isAskedToStop = cancelRequestedAt !== undefined;
  return [
    ["status", statusSpan(task)],
    ["waits", describeWaits(blockedOn, setting).replace(/^waits /u, "")],
    ["why", error === undefined ? describeReason(task) : failurePhrase(error)],
    ...(error?.causes ?? []).map((cause, index): Field => [index === 0 ? "because" : "", describeCause(cause)]),
    [
      "stopped",
      isAskedToStop ? `${relative(cancelRequestedAt, setting.now)}, ${stopReason}: ${phrase(reason ?? "")}` : "",
    ],
    ["attempt", String(attempt)],
    ["progress", progress === undefined ? "" : phrase(describeProgress(progress))],
    ["summary", phrase(summary ?? "")],
  ];
}

function placeFields(task: TaskRecord, children: readonly TaskRecord[]): Field[] {
  const { parentId, rootId, id, sessionId, agent, runId, callId, lane, laneKey, priority, tags, metadata } = task;
  return [
    ["parent", parentId === undefined ? "" : `${idWord(parentId)}${task.detached ? ", detached" : ""}`],
    ["root", rootId === id || rootId === parentId ? "" : idWord(rootId)],
    ["children", children.length === 0 ? "" : `${children.length}: ${describeCounts(children)}`],
    ["session", quotedId(sessionId)],
    ["agent", quotedId(agent)],
    ["made by", quotedId(task.createdBy)],
    ["run", quotedId(runId)],
    ["call", quotedId(callId)],
    [
      "lane",
      [
        idWord(lane),
        ...(laneKey === undefined ? [] : [`key ${idWord(laneKey)}`]),
        ...(priority === 0 ? [] : [`priority ${priority}`]),
      ].join(", "),
    ],
    ["tags", tags.map(idWord).join(", ")],
    ["metadata", Object.keys(metadata).length === 0 ? "" : valuePhrase(metadata)],
  ];
}

/** A name of the program, quoted where it is not plain: a blank in it ends no field. */
function quotedId(id: string | undefined): string {
  return id === undefined ? "" : idWord(id);
}

function timeFields(
  { createdAt, startedAt, finishedAt, notBeforeAt, totalDeadlineAt, runtime }: TaskRecord,
  now: number,
): Field[] {
  const at = (instant: number | undefined): string =>
    instant === undefined ? "" : `${clockTime(instant)}  ${relative(instant, now)}`;
  const took =
    finishedAt !== undefined && startedAt !== undefined ? `, took ${describeDuration(finishedAt - startedAt)}` : "";
  return [
    ["created", at(createdAt)],
    ["started", at(startedAt)],
    ["ended", finishedAt === undefined ? "" : `${at(finishedAt)}${took}`],
    ["again", at(notBeforeAt)],
    ["deadline", finishedAt === undefined ? at(totalDeadlineAt) : ""],
    ["process", runtime === undefined ? "" : `${runtime.pid} (instance ${idWord(runtime.instanceId)})`],
  ];
}

function describeCause({ name, message, code }: FailureCause): string {
  const what = [name, code].filter((part) => part !== undefined).join(" ");
  return phrase(what === "" ? message : `${what}: ${message}`);
}

function workFields({ usage, budget, artifacts, links, outputOmitted }: TaskRecord): Field[] {
  const made = artifacts.map(({ name, type, ...where }) => {
    if ("data" in where) return `${name} (${type}): ${phrase(count(where.data.length, "character"))}`;
    return `${name} (${type}): ${Object.values(where).map(phrase).join(", ")}`;
  });
  const used = describeUsage(usage);
  return [
    ["usage", used === "" ? "" : `${used}${usage.tasks > 1 ? `, by ${usage.tasks} tasks` : ""}`],
    ["budget", budget === undefined ? "" : describeBudget(budget)],
    ["links", Object.keys(links).length === 0 ? "" : valuePhrase(links)],
    ["no output", outputOmitted],
    ...made.map((text, index): Field => [index === 0 ? "artifacts" : "", text]),
  ];
}

function fieldLines(fields: readonly Field[]): Row[] {
  const rows = fields.flatMap(([name, value]): Row[] => {
    const isEmpty = value === undefined || value === "";
    return isEmpty ? [] : [[{ text: `  ${name.padEnd(9)}`, style: "faint" }, value]];
  });
  return aligned(rows);
}

/** Shows a value as JSON, in which control characters are escaped. */
function valueLines(title: string, value: Json | undefined): Row[] {
  if (value === undefined) return [];
  return [[], [{ text: title, style: "strong" }], ...boundedLines(jsonText(value, 2).split("\n"), VALUE_LINES)];
}

function stackLines({ error }: TaskRecord): Row[] {
  if (error?.stack === undefined) return [];
  return [[], [{ text: "stack", style: "strong" }], ...boundedLines(printableLines(error.stack), STACK_LINES)];
}

function boundedLines(lines: readonly string[], most: number): Row[] {
  const shown = lines.slice(0, most).map((line) => shortened(line, VALUE_COLUMNS + 1));
  const isCut = lines.length > most || lines.some((line) => line.length > VALUE_COLUMNS);
  const missing = lines.length > most ? `${count(lines.length - most, "more line")}, ` : "";
  return [
    ...shown.map((line) => [`  ${line}`]),
    ...(isCut ? [[{ text: `  … ${missing}--json shows all`, style: "faint" as const }]] : []),
  ];
}

function describeBudget({ tokens, costUsd, tasks }: Budget): string {
  return [
    ...(tokens === undefined ? [] : [count(tokens, "token")]),
    ...(costUsd === undefined ? [] : [`$${costUsd}`]),
    ...(tasks === undefined ? [] : [count(tasks, "task")]),
  ].join(", ");
}
