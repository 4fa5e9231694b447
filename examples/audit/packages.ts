// Which packages a project has installed, and which files a package has.
//
// Real folders only: a link in node_modules is a workspace of the project itself, or pnpm's second name for a folder in `.pnpm`.

import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";

export interface InstalledPackage {
  /** The name its folder says, whatever its manifest claims. */
  readonly name: string;
  /** As lockfiles spell it, e.g. `node_modules/a/node_modules/@b/c`. */
  readonly path: string;
  readonly folder: string;
}

export async function findPackages(project: string, signal: AbortSignal): Promise<InstalledPackage[]> {
  const found: InstalledPackage[] = [];
  const visit = async (folder: string, scope: string): Promise<void> => {
    for (const entry of await foldersIn(folder, signal)) {
      const path = join(folder, entry);
      if (entry === ".pnpm")
        for (const store of await foldersIn(path, signal)) await visit(join(path, store, "node_modules"), "");
      else if (entry.startsWith("@")) await visit(path, `${entry}/`);
      else if (!entry.startsWith(".")) {
        found.push({ name: scope + entry, path: relative(project, path).replaceAll(sep, "/"), folder: path });
        await visit(join(path, "node_modules"), "");
      }
    }
  };
  await visit(join(project, "node_modules"), "");
  return found;
}

/** Paths with `/` and relative to the package, without the packages installed inside it. */
export async function listFiles(folder: string, signal: AbortSignal): Promise<string[]> {
  const files: string[] = [];
  const visit = async (inside: string): Promise<void> => {
    signal.throwIfAborted();
    for (const entry of await readdir(join(folder, inside), { withFileTypes: true })) {
      const path = inside === "" ? entry.name : `${inside}/${entry.name}`;
      if (entry.isFile()) files.push(path);
      else if (entry.isDirectory() && entry.name !== "node_modules") await visit(path);
    }
  };
  await visit("");
  return files.toSorted();
}

async function foldersIn(folder: string, signal: AbortSignal): Promise<string[]> {
  signal.throwIfAborted();
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
