// The plan of lib/: the order of its folders, checked by reading imports as text. An import of a type counts as an
// import. And the plan of test/: its folders are those of lib/.
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import manifest from "../package.json" with { type: "json" };

// ── the plan of lib/ ───────────────────────────────────────────────────────

/**
 * The folders and single files of lib/, lowest first. A file imports from its own entry and from lower ones. No other
 * folder is allowed.
 */
const order = [
  "core/values",
  "core/time",
  "core/task",
  "core/schema",
  "core/lanes",
  "core/events",
  "core/live",
  "core/durable",
  "core/loop.ts",
  "core/waits",
  "core/kinds",
  "core/notices",
  "core/inbox",
  "core/spawn",
  "core/outcomes",
  "core/run",
  "core/consequences.ts",
  "core/recovery",
  "core/core.ts",
  "model/prompt",
  "model/tools",
  "session",
  "kinds",
  "stores",
  "manager",
  "testing",
  "integrations",
  "engines",
  "inspector",
  "cli",
];

/** Folders that do not exist yet: "Left for later" in ARCHITECTURE.md says what they are for. Their laws hold already. */
const planned = ["integrations", "engines", "inspector"];

/** Top folders that may import only some of the lower ones. Every other folder may import all lower ones. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  stores: ["core"],
  manager: ["core", "model", "session"],
  kinds: ["core", "session"],
};

/** Folders that import errand by its public name only, as a user does. */
const outside = [...planned, "cli"];

/** Folders with an entry point of their own, so that `import "errand"` does not load them. */
const withOwnEntry = ["testing", ...outside];

/** The rules of a task and their types. They are pure and import plain values alone. */
const pure = "core/task";
const belowPure = ["core/values"];

/** The file that reads the modules of Node for the core. */
const nodeModules = "core/values/node.ts";

/** Modules of Node that core/ may not import: it uses no disk and no network. */
const diskAndNetwork = [
  "child_process",
  "cluster",
  "dgram",
  "dns",
  "fs",
  "http",
  "http2",
  "https",
  "inspector",
  "net",
  "sqlite",
  "tls",
];

/** Libraries that the build puts into the package, so that a user installs none of them. */
const bundled = ["abort-controller-x", "eventemitter3", "p-limit", "p-queue"];

/** Names of files and folders that name no subject. */
const emptyNames = ["utils", "util", "helpers", "helper", "common", "misc", "types"];

// ── the plan of test/ ──────────────────────────────────────────────────────

/** Folders of test/ whose subject is not one folder of lib/. Their tests may have any name. */
const ownSubjects = ["bench", "crash", "docs", "examples", "invariants", "scenarios", "support", "types"];

/** Folders of lib/ that have no folder in test/, each for a reason. */
const withoutTests: Readonly<Record<string, string>> = {
  "testing/store-contract": "test/testing/store-contract.test.ts runs its laws on every store",
};

// ── reading imports ────────────────────────────────────────────────────────

type Sources = ReadonlyMap<string, string>;

interface Import {
  readonly specifier: string;
  /** The path in lib/ of a relative specifier. */
  readonly path?: string;
  readonly typeOnly: boolean;
}

/**
 * An import statement at the start of a line, as the formatter writes it. Its clause has names only, so it ends before
 * other code.
 */
const statement = /^(?:import|export)\s+(type\s)?(?:[\w$*,{}\s]*?\sfrom\s+)?["']([^"']+)["']/gm;
/** `import()` in code, and a module of Node that is read without an import. */
const inline = /\b(?:import|getBuiltinModule)\(\s*["']([^"']+)["']/g;

function importsOf(file: string, text: string): readonly Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");
  const statements = [...code.matchAll(statement)];
  const begun = code.match(/^import[\s{*]/gm)?.length ?? 0;
  if (statements.filter(([whole]) => whole.startsWith("import")).length !== begun) {
    throw new Error(`lib/${file} has an import statement that this test cannot read`);
  }
  return [
    ...statements.map(([, type, specifier = ""]) => ({ specifier, typeOnly: type !== undefined })),
    ...[...code.matchAll(inline)].map(([, specifier = ""]) => ({ specifier, typeOnly: false })),
  ].map((found) =>
    found.specifier.startsWith(".")
      ? { ...found, path: posix.join(posix.dirname(file), found.specifier).replace(/\.js$/, ".ts") }
      : found,
  );
}

const isNode = ({ specifier }: Import): boolean => specifier.startsWith("node:") || builtinModules.includes(specifier);
const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
const folderOf = (path: string): string => posix.dirname(path);
/** The entry of `order` for a file: the longest one with which its path begins. */
const placeOf = (path: string): string =>
  order.filter((place) => path === place || path.startsWith(`${place}/`)).toSorted((a, b) => b.length - a.length)[0] ??
  folderOf(path);
const levelOf = (path: string): number => order.indexOf(placeOf(path));
/** The top folder of a file; `""` for a file at the top of lib/. */
const topOf = (path: string): string => (path.includes("/") ? (path.split("/")[0] ?? "") : "");

// ── breaches ───────────────────────────────────────────────────────────────

function breachesOf(sources: Sources): readonly string[] {
  return [...sources].flatMap(([file, text]) => [
    ...placeBreaches(file),
    ...textBreaches(file, text),
    ...importsOf(file, text).flatMap((found) =>
      importBreaches(file, found, sources).map((why) => `lib/${file} imports ${found.specifier}: ${why}`),
    ),
  ]);
}

function placeBreaches(file: string): readonly string[] {
  const breaches: string[] = [];
  const top = topOf(file);
  if (top === "" && file !== "index.ts") {
    breaches.push(`lib/${file}: only index.ts may be at the top of lib/`);
  }
  if (top !== "" && levelOf(file) < 0) {
    breaches.push(`lib/${file} is in a folder that \`order\` of this test does not list: add the folder there`);
  }
  const empty = file.split("/").find((part) => emptyNames.includes(part.replace(/\.ts$/, "")));
  if (empty !== undefined) {
    breaches.push(`lib/${file}: "${empty}" names no concept`);
  }
  return breaches;
}

function textBreaches(file: string, text: string): readonly string[] {
  const breaches: string[] = [];
  if (topOf(file) === "core" && file !== nodeModules && /\bgetBuiltinModule\b/.test(text)) {
    breaches.push(`lib/${file} reads a module of Node: only lib/${nodeModules} does`);
  }
  if (!/^(?:#!.*\n)?(?:\/\/|\/\*\*)/.test(text)) {
    breaches.push(`lib/${file} does not open with a comment that says what it is`);
  }
  if (file === "index.ts" && /^export\s*(?:type\s*)?\*/m.test(text)) {
    breaches.push("lib/index.ts has an export *: it must name each export");
  }
  return breaches;
}

function importBreaches(file: string, found: Import, sources: Sources): readonly string[] {
  const top = topOf(file);
  if (found.path === undefined) {
    return packageBreaches(top, file, found);
  }
  const target = topOf(found.path);
  if (!sources.has(found.path)) {
    return ["there is no such file"];
  }
  if (found.path === "index.ts") {
    return ["no file of lib/ imports index.ts"];
  }
  if (top === "" && withOwnEntry.includes(target)) {
    return [`${target}/ has an entry point of its own, so index.ts does not import it`];
  }
  if (outside.includes(top) && target !== top) {
    return [`${top}/ imports errand by its public name only`];
  }
  if (top !== "" && levelOf(found.path) > levelOf(file)) {
    return [`${placeOf(file)} comes before ${placeOf(found.path)} in the order of folders`];
  }
  if (target !== top && mayImport[top]?.includes(target) === false) {
    return [`${top}/ may not import ${target}/`];
  }
  if (folderOf(file) === pure && ![pure, ...belowPure].includes(folderOf(found.path))) {
    return [`${pure}/ is pure, and may import ${belowPure.join(", ")} only`];
  }
  return [];
}

function packageBreaches(top: string, file: string, found: Import): readonly string[] {
  if (isNode(found)) {
    if (top !== "core") {
      return [];
    }
    if (folderOf(file) === pure) {
      return [`${pure}/ is pure, and imports nothing of Node`];
    }
    const builtin = found.specifier.replace(/^node:/, "").split("/")[0] ?? "";
    return diskAndNetwork.includes(builtin) ? ["core/ uses no disk and no network"] : [];
  }
  const name = packageOf(found.specifier);
  if (name === manifest.name) {
    return outside.includes(top) ? [] : ["a file of lib/ imports errand by path, and not by its public name"];
  }
  const optional = Object.keys(manifest.peerDependencies);
  if (!(name in manifest.dependencies) && !bundled.includes(name) && !(optional.includes(name) && top !== "core")) {
    return [`package.json does not declare it for lib/${top}`];
  }
  return folderOf(file) === pure && !found.typeOnly ? [`${pure}/ is pure, and imports types only of a package`] : [];
}

/** Every cycle of imports, once, by its files. */
function cyclesOf(sources: Sources): readonly string[] {
  const cycles = new Map<string, string>();
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    const start = trail.indexOf(file);
    if (start >= 0) {
      const cycle = trail.slice(start);
      cycles.set([...cycle].sort().join(), [...cycle, file].map((path) => `lib/${path}`).join(" -> "));
      return;
    }
    if (done.has(file)) {
      return;
    }
    for (const { path } of importsOf(file, sources.get(file) ?? "")) {
      if (path !== undefined) {
        visit(path, [...trail, file]);
      }
    }
    done.add(file);
  };
  for (const file of sources.keys()) {
    visit(file, []);
  }
  return [...cycles.values()];
}

/** What in test/ does not mirror lib/. The paths of `tests` are relative to test/, those of `files` to lib/. */
function mirrorBreaches(tests: readonly string[], files: readonly string[]): readonly string[] {
  const folders = new Set(files.map(folderOf).filter((folder) => folder !== "."));
  const named = files.filter((path) => !(folderOf(path) in withoutTests));
  const mirrors = tests.filter((file) => file.includes("/") && !ownSubjects.includes(topOf(file)));
  const tested = new Set(mirrors.map(folderOf));
  const namesake = (file: string) => `${posix.basename(file).replace(/\.test\.ts$/, "")}.ts`;
  return [
    ...mirrors.flatMap((file) => {
      if (!folders.has(folderOf(file))) return [`test/${file}: lib/ has no folder ${folderOf(file)} with code`];
      if (!file.endsWith(".test.ts")) return [`test/${file} is no test: a file that tests share lies in test/support/`];
      const owners = named.filter((path) => posix.basename(path) === namesake(file)).map(folderOf);
      if (owners.length === 0 || owners.includes(folderOf(file))) return [];
      return [`test/${file} has the name of a file of lib/: it lies in test/${owners.join(" or test/")}`];
    }),
    ...[...folders]
      .filter((folder) => tested.has(folder) === folder in withoutTests)
      .map((folder) =>
        tested.has(folder)
          ? `test/${folder} exists: take it off the list of folders without tests`
          : `lib/${folder} has no tests in test/${folder}`,
      ),
  ];
}

// ── the laws ───────────────────────────────────────────────────────────────

const lib = fileURLToPath(new URL("../lib", import.meta.url));
const sources: Sources = new Map(codeIn(lib).map((path) => [path, readFileSync(join(lib, path), "utf8")]));
const tests = codeIn(fileURLToPath(new URL(".", import.meta.url)));

function codeIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => path.endsWith(".ts"));
}

describe("lib/", () => {
  test("has only the folders and the imports that the plan allows", () => {
    expect(sources.size).toBeGreaterThan(0);
    expect(breachesOf(sources)).toEqual([]);
  });

  test("has no cycle of imports, also not of types", () => {
    expect(cyclesOf(sources)).toEqual([]);
  });

  test("has no two classes with one name", () => {
    const names = [...sources.values()].flatMap((text) =>
      [...text.matchAll(/^\s*(?:export )?(?:abstract )?class (\w+)/gm)].map(([, name = ""]) => name),
    );
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  });

  test("has code in each folder of the plan, except in those that are planned", () => {
    const isEmpty = (place: string) => ![...sources.keys()].some((path) => placeOf(path) === place);
    expect(order.filter(isEmpty)).toEqual(planned);
  });

  test("has no file that is longer than 350 lines", () => {
    const lengths = [...sources].map(([file, text]) => [file, text.split("\n").length - 1] as const);
    expect(lengths.filter(([, length]) => length > 350)).toEqual([]);
  });

  test("has kinds that a user could write: only the hooks of `defineKind` reach the core of a context", () => {
    const reach = [...sources].filter(([file, text]) => file.startsWith("kinds/") && text.includes("coreOf("));
    expect(reach.map(([file]) => file).sort()).toEqual([
      "kinds/remote.ts",
      "kinds/remote/polls.ts",
      "kinds/remote/remote-questions.ts",
    ]);
  });

  test("has no file of the core that ARCHITECTURE.md does not name, and ARCHITECTURE.md names none that is gone", () => {
    const plan = readFileSync(new URL("../ARCHITECTURE.md", import.meta.url), "utf8");
    const named = [...plan.matchAll(/`lib\/(core\/(?:[\w-]+\/)?[\w-]+\.ts)`/g)].map(([, path]) => path);
    const there = [...sources.keys()].filter((path) => path.startsWith("core/"));
    expect(new Set(named)).toEqual(new Set(there));
  });

  test("is what each entry point of the package resolves to while checking", () => {
    const entries = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
      typeof target === "string"
        ? []
        : [[`errand${subpath.slice(1)}`, [target.default.replace(/^\.\/dist\/(.*)\.js$/, "./lib/$1.ts")]]],
    );
    const tsconfig: unknown = JSON.parse(
      readFileSync(new URL("../tsconfig.json", import.meta.url), "utf8").replace(/^\s*\/\/.*$/gm, ""),
    );
    expect(tsconfig).toMatchObject({ compilerOptions: { paths: Object.fromEntries(entries) } });
  });
});

test("test/ mirrors lib/: each folder has its tests, and a test with the name of a file lies beside it", () => {
  expect(tests.length).toBeGreaterThan(0);
  expect(mirrorBreaches(tests, [...sources.keys()])).toEqual([]);
});

// Each law is broken here once, which shows that the test notices it.
describe("the plan of lib/", () => {
  const head = "// A part.\n";
  const plan = (files: Readonly<Record<string, string>>): Sources =>
    new Map(Object.entries(files).map(([path, code]) => [path, head + code]));

  test.each<[law: string, files: Readonly<Record<string, string>>, breach: RegExp]>([
    [
      "refuses a folder that it does not list",
      { "plumbing/pipe.ts": "" },
      /a folder that `order` of this test does not list/,
    ],
    ["refuses a second file at the top", { "main.ts": "" }, /only index\.ts/],
    ["refuses a file with an empty name", { "session/utils.ts": "" }, /names no concept/],
    ["refuses a folder with an empty name", { "session/helpers/view.ts": "" }, /names no concept/],
    [
      "keeps core from every other top folder",
      { "core/loop.ts": 'import { b } from "../session/b.js";', "session/b.ts": "" },
      /core\/loop.ts comes before session in/,
    ],
    [
      "keeps a folder of the core from those after it in the order",
      { "core/lanes/slots.ts": 'import "../waits/waits.js";', "core/waits/waits.ts": "" },
      /core\/lanes comes before core\/waits/,
    ],
    [
      "keeps the folders of the core from the files after them in the order",
      { "core/live/task.ts": 'import "../loop.js";', "core/loop.ts": "" },
      /core\/live comes before core\/loop.ts/,
    ],
    ["refuses a file of the core that is not listed", { "core/more.ts": "" }, /does not list/],
    [
      "keeps kinds from what a model reads",
      { "kinds/a.ts": 'import "../model/prompt/escape.js";', "model/prompt/escape.ts": "" },
      /kinds\/ may not import model/,
    ],
    [
      "counts an import of a type",
      { "core/loop.ts": 'import type {\n  B,\n} from "../stores/b.js";', "stores/b.ts": "" },
      /core\/loop.ts comes before stores in/,
    ],
    [
      "counts an import() inside code",
      { "core/loop.ts": 'const b = await import("../stores/b.js");', "stores/b.ts": "" },
      /core\/loop.ts comes before stores in/,
    ],
    [
      "reads past a comment in a list of names",
      { "core/loop.ts": 'export {\n  a, // the first\n  b,\n} from "../stores/b.js";', "stores/b.ts": "" },
      /core\/loop.ts comes before stores in/,
    ],
    [
      "counts a re-export",
      { "core/loop.ts": 'export { b } from "../stores/b.js";', "stores/b.ts": "" },
      /core\/loop.ts comes before stores in/,
    ],
    [
      "keeps the rules from moving parts",
      { "core/task/decide.ts": 'import "../time/clock.js";', "core/time/clock.ts": "" },
      /may import core\/values only/,
    ],
    ["keeps the rules from Node", { "core/task/decide.ts": 'import { inspect } from "node:util";' }, /nothing of Node/],
    [
      "keeps the rules from packages",
      { "core/task/evolve.ts": 'import { EventEmitter } from "eventemitter3";' },
      /types only/,
    ],
    [
      "has one file of core read the modules of Node",
      { "core/loop.ts": 'const { types } = process.getBuiltinModule("node:util");' },
      /only lib\/core\/values\/node.ts does/,
    ],
    [
      "keeps that file from the disk too",
      { "core/values/node.ts": 'const fs = process.getBuiltinModule("node:fs");' },
      /no disk/,
    ],
    ["keeps core from the disk", { "core/loop.ts": 'import { open } from "node:fs/promises";' }, /no disk/],
    [
      "keeps parts from the manager",
      { "core/loop.ts": 'import "../manager/manager.js";', "manager/manager.ts": "" },
      /core\/loop.ts comes before manager in/,
    ],
    [
      "keeps the files of lib/ from importing index.ts",
      { "session/a.ts": 'import "../index.js";', "index.ts": "" },
      /no file of lib\/ imports index.ts/,
    ],
    ["keeps the files of lib/ from the public name", { "session/a.ts": 'import "errand";' }, /by path/],
    [
      "keeps testing out of index.ts",
      { "index.ts": 'export { a } from "./testing/a.js";', "testing/a.ts": "" },
      /an entry point of its own/,
    ],
    [
      "keeps an integration from every other folder",
      { "integrations/a.ts": 'import "../core/loop.js";', "core/loop.ts": "" },
      /by its public name only/,
    ],
    ["refuses a package that is not declared", { "kinds/a.ts": 'import left from "left-pad";' }, /does not declare/],
    ["refuses a path to nowhere", { "kinds/a.ts": 'import "./gone.js";' }, /no such file/],
    [
      "has index.ts name each export",
      { "index.ts": 'export * from "./core/loop.js";', "core/loop.ts": "" },
      /export \*/,
    ],
  ])("%s", (_law, files, breach) => {
    expect(breachesOf(plan(files))).toEqual([expect.stringMatching(breach)]);
  });

  test("asks each file for a head comment, after a shebang too", () => {
    const files: Sources = new Map([
      ["core/loop.ts", "export const a = 1;\n"],
      ["cli/main.ts", "#!/usr/bin/env node\n// The command.\n"],
    ]);
    expect(breachesOf(files)).toEqual([expect.stringContaining("lib/core/loop.ts does not open with a comment")]);
  });

  test("lets an integration import the public name", () => {
    expect(breachesOf(plan({ "integrations/a.ts": 'import type { Session } from "errand";' }))).toEqual([]);
  });

  test("takes no import out of a comment", () => {
    const text = '/**\n * ```ts\nimport { x } from "../session/x.js";\n * ```\n */\n// import "../session/x.js";\n';
    expect(breachesOf(plan({ "core/loop.ts": text }))).toEqual([]);
  });

  test("names the files of a cycle, once", () => {
    const cycle = plan({
      "core/a.ts": 'import type { B } from "./b.js";',
      "core/b.ts": 'import { c } from "./c.js";',
      "core/c.ts": 'import { a } from "./a.js";',
    });
    expect(cyclesOf(cycle)).toEqual(["lib/core/a.ts -> lib/core/b.ts -> lib/core/c.ts -> lib/core/a.ts"]);
  });

  test("says when it cannot read an import", () => {
    expect(() => importsOf("core/loop.ts", "import defer x from (y);\n")).toThrow(/cannot read/);
  });
});

describe("the plan of test/", () => {
  const files = ["index.ts", "core/lanes/slots.ts", "stores/sql/schema.ts", "core/schema/schema.ts"];
  const right = ["core/lanes/slots.test.ts", "stores/sql/schema.test.ts", "core/schema/any.test.ts"];

  test("is kept by tests of files, of subjects, and by what they share", () => {
    const others = ["structure.test.ts", "scenarios/slots.test.ts", "support/place.ts", "core/lanes/rate.test.ts"];
    expect(mirrorBreaches([...right, ...others], files)).toEqual([]);
  });

  test.each<[law: string, tests: readonly string[], breach: RegExp]>([
    ["refuses a folder that lib/ does not have", [...right, "durable/restart.test.ts"], /no folder durable with code/],
    ["refuses the name of a file of another folder", [...right, "stores/sql/slots.test.ts"], /test\/core\/lanes$/],
    [
      "names each folder with a file of this name",
      [...right, "core/lanes/schema.test.ts"],
      /sql or test\/core\/schema$/,
    ],
    ["refuses a file that is no test", [...right, "core/lanes/place.ts"], /test\/support/],
    ["refuses a folder of lib/ without tests", right.slice(1), /lib\/core\/lanes has no tests/],
  ])("%s", (_law, broken, breach) => {
    expect(mirrorBreaches(broken, files)).toEqual([expect.stringMatching(breach)]);
  });

  test("has no exception that is not needed", () => {
    const excepted = Object.keys(withoutTests).map((folder) => `${folder}/law`);
    expect(
      mirrorBreaches(
        excepted.map((file) => `${file}.test.ts`),
        excepted.map((file) => `${file}.ts`),
      ),
    ).toEqual(excepted.map((file) => expect.stringContaining(`${folderOf(file)} exists`)));
  });
});
