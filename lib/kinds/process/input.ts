// Process input: what a program is started with, and the schema that checks it.
//
// Knows nothing of processes. What an operating system would cut short or misread (a NUL, an `=` in a name) is refused before anything starts (§12).

import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { show } from "../../core/values/checks.js";
import { didYouMean } from "../../core/values/nearest-name.js";

export interface ProcessInput {
  /** A name that is looked up in the `PATH`, or a path. No shell reads it: `*`, `|` and `$HOME` mean themselves. */
  command: string;
  /** Each reaches the program as it is: nothing is split, quoted or expanded. */
  args?: readonly string[] | undefined;
  /** The folder it works in; default that of this process. One that does not exist fails the task. */
  cwd?: string | undefined;
  /** Added to the environment of this process, which the program gets too. */
  env?: { readonly [name: string]: string } | undefined;
  /** `true` fails the task when the exit code is not 0, or a signal ended the program; otherwise the code is the result. */
  check?: boolean | undefined;
}

type Issue = StandardSchemaV1.Issue;

const TEXT = "a string without a NUL";

const CHECKS: { readonly [field in keyof ProcessInput]-?: (value: unknown) => readonly Issue[] } = {
  command: (value) =>
    isText(value) && value !== "" ? [] : [wrong(["command"], `a non-empty string without a NUL`, value)],
  args: (value) => {
    if (!Array.isArray(value)) return [wrong(["args"], "a list of strings", value)];
    return value.flatMap((arg: unknown, index) => (isText(arg) ? [] : [wrong(["args", index], TEXT, arg)]));
  },
  cwd: (value) => (isText(value) && value !== "" ? [] : [wrong(["cwd"], "a non-empty string without a NUL", value)]),
  env: (value) => {
    if (!isObject(value)) return [wrong(["env"], "an object of strings", value)];
    return Object.entries(value).flatMap(([name, text]) => [
      ...(/^[^=\0]+$/.test(name) ? [] : [wrong(["env", name], "named by a non-empty string without = and NUL", name)]),
      ...(isText(text) ? [] : [wrong(["env", name], TEXT, text)]),
    ]);
  },
  check: (value) => (typeof value === "boolean" ? [] : [wrong(["check"], "a boolean", value)]),
};

const FIELDS = Object.keys(CHECKS);

function validate(value: unknown): StandardSchemaV1.Result<ProcessInput> {
  if (!isObject(value)) return { issues: [{ message: `the input must be an object, got ${show(value)}` }] };
  const unknown = Object.keys(value).filter((field) => !Object.hasOwn(CHECKS, field));
  const issues = unknown.map(
    (field): Issue => ({
      message: `there is no field ${show(field)}${didYouMean(field, FIELDS)}; it has ${FIELDS.join(", ")}`,
      path: [field],
    }),
  );
  for (const [field, check] of Object.entries(CHECKS)) {
    const given = value[field];
    if (given !== undefined || field === "command") issues.push(...check(given));
  }
  // Every field was looked at.
  return issues.length > 0 ? { issues } : { value: value as unknown as ProcessInput };
}

function wrong(path: readonly PropertyKey[], right: string, value: unknown): Issue {
  return { message: `${path.join(".")} must be ${right}, got ${show(value)}`, path };
}

function isText(value: unknown): value is string {
  return typeof value === "string" && !value.includes("\0");
}

function isObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** For a model that is shown what it may start. */
const JSON_SCHEMA = {
  type: "object",
  properties: {
    command: {
      type: "string",
      minLength: 1,
      description: "The program: a name in the PATH, or a path. No shell reads it.",
    },
    args: { type: "array", items: { type: "string" }, description: "Its arguments, each as it is." },
    cwd: { type: "string", minLength: 1, description: "The folder it works in." },
    env: { type: "object", additionalProperties: { type: "string" }, description: "Added to the environment." },
    check: { type: "boolean", description: "true: an exit code that is not 0 is a failure." },
  },
  required: ["command"],
  additionalProperties: false,
};

/** All of these read `JSON_SCHEMA` alike. */
const TARGETS: readonly string[] = ["draft-2020-12", "draft-07", "openapi-3.0"];

function jsonSchema({ target }: StandardJSONSchemaV1.Options): Record<string, unknown> {
  if (!TARGETS.includes(target))
    throw new TypeError(`target must be one of ${TARGETS.join(", ")}, got ${show(target)}`);
  return structuredClone(JSON_SCHEMA);
}

export const processInput: StandardSchemaV1<ProcessInput> & StandardJSONSchemaV1<ProcessInput> = {
  "~standard": { version: 1, vendor: "errand", validate, jsonSchema: { input: jsonSchema, output: jsonSchema } },
};
