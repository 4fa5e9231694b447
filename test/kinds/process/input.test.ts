// The input of a program (§12): checked before anything starts, and described as JSON Schema.

import { TaskManager } from "errand";
import { command } from "errand/kinds";
import { describe, expect, test } from "vitest";
import { processInput } from "../../../lib/kinds/process/input.js";
import { refused } from "../../support/program.js";

const program = command();

describe("§12 an input that does not fit is InvalidInputError, and nothing is started", () => {
  test.each<[what: string, input: unknown, path: readonly PropertyKey[], said: RegExp]>([
    ["nothing", undefined, [], /an object, got undefined/],
    ["null", null, [], /an object, got null/],
    ["a command line", "ls -l", [], /an object, got "ls -l"/],
    ["a list", ["ls"], [], /an object, got a list/],
    ["no command", {}, ["command"], /command must be a non-empty string/],
    ["an empty command", { command: "" }, ["command"], /command must be a non-empty string.*got ""/],
    ["a command that is no string", { command: ["ls"] }, ["command"], /command must be/],
    ["a NUL in the command", { command: "l\0s" }, ["command"], /command must be .* without a NUL/],
    ["args that are a string", { command: "ls", args: "-l" }, ["args"], /args must be a list of strings, got "-l"/],
    ["args that are null", { command: "ls", args: null }, ["args"], /args must be a list/],
    [
      "an argument that is a number",
      { command: "ls", args: ["-l", 1] },
      ["args", 1],
      /args\.1 must be a string.*got 1/,
    ],
    ["a NUL in an argument", { command: "ls", args: ["a\0b"] }, ["args", 0], /args\.0 must be .* without a NUL/],
    ["a cwd that is no string", { command: "ls", cwd: 1 }, ["cwd"], /cwd must be/],
    ["an empty cwd", { command: "ls", cwd: "" }, ["cwd"], /cwd must be/],
    ["a NUL in the cwd", { command: "ls", cwd: "\0" }, ["cwd"], /cwd must be/],
    ["an env that is a list", { command: "ls", env: ["A=1"] }, ["env"], /env must be an object of strings/],
    ["a variable without a name", { command: "ls", env: { "": "x" } }, ["env", ""], /must be named by/],
    ["an = in the name of a variable", { command: "ls", env: { "A=B": "x" } }, ["env", "A=B"], /must be named by/],
    ["a NUL in the name of a variable", { command: "ls", env: { "A\0": "x" } }, ["env", "A\0"], /must be named by/],
    ["a variable that is a number", { command: "ls", env: { A: 1 } }, ["env", "A"], /env\.A must be a string.*got 1/],
    ["a NUL in a variable", { command: "ls", env: { A: "\0" } }, ["env", "A"], /env\.A must be/],
    ["a check that is no boolean", { command: "ls", check: "yes" }, ["check"], /check must be a boolean, got "yes"/],
    ["a field that there is not", { command: "ls", shell: true }, ["shell"], /no field "shell"; it has command, args/],
    ["a field that objects have", JSON.parse(`{ "command": "ls", "__proto__": 1 }`), ["__proto__"], /no field/],
  ])("%s", (_what, input, path, said) => {
    const manager = new TaskManager();
    const error = refused(() => manager.spawn(program, { input } as never), "INVALID_INPUT");
    expect(error.message).toContain('"process"');
    expect(error.issues.map(({ path: at = [] }) => at)).toEqual([path]);
    expect(error.issues[0]?.message).toMatch(said);
    expect(manager.list()).toEqual([]);
  });

  test("every issue is reported at once", () => {
    const input = { args: [1, 2], env: { "=": 3 }, shell: true };
    const error = refused(() => new TaskManager().spawn(program, { input } as never), "INVALID_INPUT");
    expect(error.issues).toHaveLength(6);
  });

  test("a field that is undefined was left out", () => {
    const input = { command: "ls", args: undefined, cwd: undefined, env: undefined, check: undefined };
    expect(processInput["~standard"].validate(input)).toEqual({ value: input });
  });
});

describe("§10 the schema of the input", () => {
  const { jsonSchema, validate } = processInput["~standard"];

  test.each(["draft-2020-12", "draft-07", "openapi-3.0"])("is written as %s, a copy each time", (target) => {
    const told = jsonSchema.input({ target });
    expect(told).toMatchObject({ type: "object", required: ["command"], additionalProperties: false });
    expect(jsonSchema.output({ target })).toEqual(told);
    delete told.properties;
    expect(jsonSchema.input({ target })).toHaveProperty("properties");
  });

  test("tells of the fields that are checked, and of no other", () => {
    const { properties } = jsonSchema.input({ target: "draft-07" });
    const fields = Object.keys(properties as object);
    expect(fields).toHaveLength(5);
    for (const field of fields) {
      const result = validate({ command: "ls", [field]: Symbol("never right") });
      expect(result).toMatchObject({ issues: [{ path: [field] }] });
      expect(JSON.stringify(result)).not.toContain("no field");
    }
  });

  test("in another dialect is a TypeError that names those there are", () => {
    expect(() => jsonSchema.input({ target: "draft-04" })).toThrow(/target must be one of draft-2020-12.*"draft-04"/);
  });
});
