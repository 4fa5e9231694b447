// Which packages a project has installed, and which files a package has.
//
// Real folders, and links that lead out of the project. Any other link is a workspace of the project itself, or pnpm's second name for a
// folder in `.pnpm`.

import { readdir, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";

export interface InstalledPackage {
  /** The name its folder says, whatever its manifest claims. */
  readonly name: string;
  /** As lockfiles spell it, e.g. `node_modules/a/node_modules/@b/c`. */
  readonly path: string;
  readonly folder: string;
}

export async function findPackages(project: string, signal: AbortSignal): Promise<InstalledPackage[]> {
  const found: InstalledPackage[] = [];
  const root = await realpath(project);
  const linked = new Set<string>(); // Links may lead in a ring: each folder outside is audited once.
  const visit = async (folder: string, scope: string): Promise<void> => {
    for (const entry of await foldersIn(folder, root, linked, signal)) {
      const path = join(folder, entry);
      if (entry === ".pnpm")
        for (const store of await foldersIn(path, root, linked, signal))
          await visit(join(path, store, "node_modules"), "");
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

async function foldersIn(folder: string, project: string, linked: Set<string>, signal: AbortSignal): Promise<string[]> {
  signal.throwIfAborted();
  try {
    const names: string[] = [];
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const isLinked = entry.isSymbolicLink() && (await leadsOut(join(folder, entry.name), project, linked));
      if (entry.isDirectory() || isLinked) names.push(entry.name);
    }
    return names;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/** To a folder outside the project, as `npm link` makes it. A link to nothing, or in a ring, is no package. */
async function leadsOut(link: string, project: string, linked: Set<string>): Promise<boolean> {
  try {
    const target = await realpath(link);
    const away = relative(project, target);
    if (!(away.startsWith("..") || isAbsolute(away)) || linked.has(target)) return false;
    if (!(await stat(target)).isDirectory()) return false;
    linked.add(target);
    return true;
  } catch {
    return false;
  }
}
