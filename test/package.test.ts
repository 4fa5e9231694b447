// The bundled package, as `npm run build` makes it: which files there are, and what each loads and shows.

import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import manifest from "../package.json" with { type: "json" };

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const read = (file: string): string => readFileSync(path.join(dist, file), "utf8");
const files = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => path.relative(dist, path.join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
  .toSorted();
const withEnd = (end: string): readonly string[] => files.filter((file) => file.endsWith(end));

const published = Object.values(manifest.exports).flatMap((target) => (typeof target === "string" ? [] : [target]));
const entries = published.map((target) => target.default.replace("./dist/", ""));

/** The modules that a file imports before it runs. */
const imported = (file: string): readonly string[] =>
  [...read(file).matchAll(/^(?:import|export)\b[^;]*?["']([^"']+)["'];$/gm)].map(([, specifier = ""]) => specifier);
const isNode = (specifier: string): boolean => builtinModules.includes(specifier.replace(/^node:/, ""));

interface SourceMap {
  readonly sources: readonly string[];
  readonly sourcesContent?: unknown;
}
const mapOf = (file: string): SourceMap => JSON.parse(read(`${file}.map`));

describe("the modules of the package", () => {
  test("are one for each entry, one that they share, and those of the command", () => {
    expect(withEnd(".js")).toEqual([...entries, "core.js", "cli/about.js", "cli/main.js", "cli/run.js"].toSorted());
  });

  test.each(entries)("%s imports Node's modules and the shared one, and no other package", (entry) => {
    const shared = path.posix.relative(path.posix.dirname(entry), "core.js");
    const others = imported(entry).filter((specifier) => !isNode(specifier));
    expect(others).toEqual([shared.startsWith(".") ? shared : `./${shared}`]);
  });

  test("that every program loads import nothing, not even of Node, and are read as ASCII", () => {
    expect(imported("index.js")).toEqual(["./core.js"]);
    expect(imported("core.js")).toEqual([]);
    for (const file of ["index.js", "core.js"]) expect(read(file)).toMatch(/^[\0-\x7F]*$/);
  });

  test("that every program loads have no literal with a Unicode property: Node would compile it at import", () => {
    for (const file of ["index.js", "core.js"]) expect(read(file)).not.toMatch(/\/[^/\n]*\\p\{[^/\n]*\/[a-z]*u/);
  });

  test("that entries share have nothing of a store or a ready kind", () => {
    const own = mapOf("core.js").sources.filter((source) => source.startsWith("../lib/"));
    expect(own).toContain("../lib/manager/manager.ts");
    expect(own.filter((source) => /\/(stores|testing|cli)\/|kinds\/(process|monitor|subagent)/.test(source))).toEqual(
      [],
    );
  });

  test("each have sources of their own: no class and no brand is there twice", () => {
    const sources = withEnd(".js").flatMap((file) =>
      mapOf(file).sources.map((source) => path.join(dist, file, "..", source)),
    );
    expect(sources.length).toBeGreaterThan(200);
    expect(sources.filter((source, index) => sources.indexOf(source) !== index)).toEqual([]);
  });

  test("load optional packages late, by a name that a bundler can read", () => {
    const kinds = read("kinds/index.js");
    expect(kinds).toContain('await import("execa")');
    expect(kinds).toContain('= require("croner")');
    expect(kinds).not.toMatch(/__require|from "(execa|croner)"/);
  });

  test("of the command print a text about it without loading errand", () => {
    expect(imported("cli/main.js")).toEqual(["./about.js"]);
    expect(imported("cli/about.js").filter((specifier) => !isNode(specifier))).toEqual([]);
  });

  test("have maps without the sources", () => {
    for (const file of withEnd(".js")) expect([file, mapOf(file).sourcesContent ?? null]).toEqual([file, null]);
  });

  test("come with the licence of each package that is in them", () => {
    const sources = withEnd(".js").flatMap((file) => mapOf(file).sources);
    const packages = sources.flatMap((source) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? []);
    const notices = read("THIRD-PARTY-NOTICES.txt");
    expect(new Set(packages).size).toBeGreaterThan(3);
    for (const name of new Set(packages)) expect(notices).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+$`, "m"));
  });
});

describe("the declarations of the package", () => {
  const declarations = withEnd(".d.ts").map((file) => [file, read(file)] as const);

  test("are one file for each entry, and one that they share", () => {
    const own = published.map((target) => target.types.replace("./dist/", ""));
    expect(withEnd(".d.ts")).toEqual([...own, "core.d.ts"].toSorted());
  });

  test("have no class that a user cannot import, but the bases of the manager", () => {
    const shown = declarations.filter(([file]) => file !== "core.d.ts");
    const exported = shown.flatMap(([, text]) => [...text.matchAll(/^export (?:type )?{([^}]*)}/gm)]);
    const names = new Set(exported.flatMap(([, list = ""]) => list.split(",").map((name) => name.trim())));
    const classes = declarations.flatMap(([, text]) => [...text.matchAll(/^declare (?:abstract )?class (\w+)/gm)]);
    expect(classes.length).toBeGreaterThan(20);
    expect(classes.map(([, name = ""]) => name).filter((name) => !names.has(name))).toEqual(["Scope", "LaneControls"]);
  });

  test("import Node's types and those of a dependency, which a user has", () => {
    const specifiers = withEnd(".d.ts").flatMap((file) => imported(file));
    const others = specifiers.filter((specifier) => !specifier.startsWith(".") && !isNode(specifier));
    expect(new Set(others)).toEqual(new Set(Object.keys(manifest.dependencies)));
  });

  test.each(declarations)("%s has names without a number, and each docstring on a line of its own", (_file, text) => {
    expect(text.match(/\b\w+\$\d+\b/g)).toBeNull();
    expect(text.match(/^.*\S.*\/\*\*.*$/gm)).toBeNull();
    expect(text).not.toContain("@internal");
  });
});
