// The package that `npm run build` makes, in a folder of its own, with its dependencies and with the optional peers that a
// test names.

import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../../package.json" with { type: "json" };

const project = fileURLToPath(new URL("../..", import.meta.url));

export interface Compiled {
  /** The folder that contains its `node_modules`. */
  readonly folder: string;
  /** Runs a module that may import "errand" and "errand/kinds", and resolves with its output, however it ended. */
  evaluate(code: string): Promise<string>;
  remove(): Promise<void>;
}

/** The name of a peer; or an alias with the name under which it is installed there. */
export type Peer = "execa" | "croner" | readonly [alias: "execa-10" | "croner-11", name: "execa" | "croner"];

export async function compiled(peers: readonly Peer[]): Promise<Compiled> {
  const folder = await mkdtemp(path.join(tmpdir(), "errand-kinds-"));
  const packages = path.join(folder, "node_modules");
  const own = path.join(packages, manifest.name);
  await mkdir(own, { recursive: true });
  await writeFile(path.join(own, "package.json"), JSON.stringify({ ...manifest, devDependencies: {} }));
  for (const peer of [...Object.keys(manifest.dependencies), ...peers]) {
    const [alias, name] = typeof peer === "string" ? [peer, peer] : peer;
    await mkdir(path.dirname(path.join(packages, name)), { recursive: true });
    await symlink(path.join(project, "node_modules", alias), path.join(packages, name));
  }
  await cp(path.join(project, "dist"), path.join(own, "dist"), { recursive: true });
  return {
    folder,
    evaluate(code) {
      return new Promise((resolve) => {
        execFile(process.execPath, ["--input-type=module", "--eval", code], { cwd: folder }, (_error, stdout) =>
          resolve(stdout),
        );
      });
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
