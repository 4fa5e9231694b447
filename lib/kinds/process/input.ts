// Process input: the input of a program, and the schema that checks it.
//
// Knows no process. Text that an operating system would cut or misread (a NUL, an `=` in the name of a variable) is
// refused before anything starts (§12).

import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { show } from "../../core/values/checks.js";
import { didYouMean } from "../../core/values/nearest-name.js";

/** The input of a task that runs a program. */
export interface ProcessInput {
  /** The program: a name in the `PATH`, or a path. No shell reads it: `*`, `|` and `$HOME` have no special meaning. */
  command: string;
  /** The arguments. Each reaches the program unchanged: nothing is split, quoted or expanded. */
  args?: readonly string[] | undefined;
  /** The working directory; default the one of this process. A directory that does not exist fails the task. */
  cwd?: string | undefined;
  /** Variables that are added to the environment of this process, which the program inherits. */
  env?: { readonly [name: string]: string } | undefined;
  /** `true`: a signal, or an exit code other than 0, fails the task. Default `false`: both are results. */
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
  // The cast is safe: every field was checked.
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

/** The schema for a model that may start the kind. */
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

/** The JSON Schema versions in which `JSON_SCHEMA` has the same meaning. */
const TARGETS: readonly string[] = ["draft-2020-12", "draft-07", "openapi-3.0"];

function jsonSchema({ target }: StandardJSONSchemaV1.Options): Record<string, unknown> {
  if (!TARGETS.includes(target))
    throw new TypeError(`target must be one of ${TARGETS.join(", ")}, got ${show(target)}`);
  return structuredClone(JSON_SCHEMA);
}

/** The schema of `ProcessInput`. */
export const processInput: StandardSchemaV1<ProcessInput> & StandardJSONSchemaV1<ProcessInput> = {
  "~standard": { version: 1, vendor: "errand", validate, jsonSchema: { input: jsonSchema, output: jsonSchema } },
};
