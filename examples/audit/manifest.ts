// The manifest of a package: what package.json says, and whether it can be believed.
//
// A manifest that cannot be read, or has no name or version, throws: the audit of that package fails. Lesser faults are `problems`.

import { access } from "node:fs/promises";
import { join } from "node:path";

import { type Identity, identify } from "./identity.js";
import { objectOf, readJson, textOf } from "./json.js";
import type { InstalledPackage } from "./packages.js";

export interface Manifest {
  readonly identity: Identity;
  /** As written. */
  readonly version: string;
  /** As written, which need not be a licence expression; the old `licenses` lists are joined by OR. */
  readonly licence?: string;
  /** What npm runs while installing: `preinstall`, `install`, `postinstall`, or a build with node-gyp. */
  readonly installScripts: readonly string[];
  readonly deprecated?: string;
  readonly problems: readonly string[];
}

export async function readManifest(pkg: InstalledPackage, signal: AbortSignal): Promise<Manifest> {
  const json = await readJson(join(pkg.folder, "package.json"), signal);
  const name = textOf(json.name);
  const version = textOf(json.version);
  if (name === undefined || version === undefined) throw new Error("package.json lacks a name or a version");

  const identity = identify(pkg.name, name, version);
  const problems: string[] = [];
  const bin = json.bin;
  for (const path of typeof bin === "string" ? [bin] : Object.values(objectOf(bin))) {
    if (typeof path !== "string" || !(await exists(join(pkg.folder, path))))
      problems.push(`lacks its command ${String(path)}`);
  }

  const scripts = objectOf(json.scripts);
  const installScripts = ["preinstall", "install", "postinstall"].flatMap((script) => textOf(scripts[script]) ?? []);
  if (installScripts.length === 0 && json.gypfile !== false && (await exists(join(pkg.folder, "binding.gyp")))) {
    installScripts.push("node-gyp rebuild"); // npm does so by itself when it finds this file.
  }
  const licence = licenceOf(json.license ?? json.licenses);
  const deprecated = textOf(json.deprecated);
  return {
    identity,
    version,
    installScripts,
    problems,
    ...(licence && { licence }),
    ...(deprecated && { deprecated }),
  };
}

/** `"MIT"`, `{ type: "MIT" }` or `[{ type: "MIT" }, { type: "BSD" }]`: the last two are from before 2015 and still about. */
function licenceOf(value: unknown): string | undefined {
  if (Array.isArray(value)) return textOf(value.flatMap((each: unknown) => licenceOf(each) ?? []).join(" OR "));
  return textOf(value) ?? textOf(objectOf(value).type);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
