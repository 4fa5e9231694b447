// Are the installed files those the lockfile names?
//
// A lockfile's `integrity` is the hash of the package's tarball, which npm unpacks and does not keep beside the files. It does keep it in
// its own cache, by that hash. So where the cache still has it, every file in it is compared with the installed one, byte for byte; where
// it has not, the answer is "not verifiable" and why, never a guess.

import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";

import cacache from "cacache";
import { unpackTar } from "modern-tar";

import { objectOf, readJson, textOf } from "./json.js";
import { listFiles } from "./packages.js";

/** What the lockfile says of one package. */
export interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly hasInstallScript: boolean;
}
/** By path, e.g. `node_modules/a`; `undefined` when the project has no lockfile of npm's. */
export type Lockfile = ReadonlyMap<string, Locked> | undefined;

export type Verification =
  | { readonly status: "verified"; readonly files: number; readonly added: readonly string[] }
  | { readonly status: "changed"; readonly changes: readonly string[] }
  | { readonly status: "not verifiable"; readonly why: string };

export async function readLockfile(project: string, signal: AbortSignal): Promise<Lockfile> {
  for (const name of ["package-lock.json", "npm-shrinkwrap.json"]) {
    const json = await readJson(join(project, name), signal).catch(ifMissing);
    if (json === undefined) continue;
    return new Map(
      Object.entries(objectOf(json.packages)).map(([path, entry]) => {
        const fields = objectOf(entry);
        const [version, integrity] = [textOf(fields.version), textOf(fields.integrity)];
        const hasInstallScript = fields.hasInstallScript === true;
        return [path, { hasInstallScript, ...(version && { version }), ...(integrity && { integrity }) }];
      }),
    );
  }
  return undefined;
}

const unzip = promisify(gunzip); // In a thread of its own: a large tarball holds nothing up.

export async function verify(
  folder: string,
  version: string,
  locked: Locked | undefined,
  signal: AbortSignal,
): Promise<Verification> {
  if (locked === undefined) return { status: "not verifiable", why: "not in a lockfile" };
  if (locked.version !== undefined && locked.version !== version) {
    return { status: "changed", changes: [`version ${version}, locked is ${locked.version}`] };
  }
  if (locked.integrity === undefined) return { status: "not verifiable", why: "the lockfile has no hash of it" };
  const tarball = await fromCache(locked.integrity);
  if (typeof tarball === "string") return { status: "not verifiable", why: tarball };

  const packed = await unpack(tarball);
  const changes: string[] = [];
  for (const [path, content] of packed) {
    signal.throwIfAborted();
    const found = await readFile(join(folder, path), { signal }).catch(ifMissing);
    if (found === undefined) changes.push(`${path} is missing`);
    else if (!found.equals(content)) changes.push(`${path} differs`);
  }
  if (changes.length > 0) return { status: "changed", changes };
  const added = (await listFiles(folder, signal)).filter((file) => !packed.has(file));
  return { status: "verified", files: packed.size, added };
}

/** The tarball with this hash, or why there is none. */
async function fromCache(integrity: string): Promise<Buffer | string> {
  try {
    return await cacache.get.byDigest(npmCache(), integrity); // It hashes what it reads.
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return "its tarball is not in npm's cache";
    if (code === "EINTEGRITY" || code === "EBADSIZE") return "its tarball in npm's cache is damaged";
    throw error;
  }
}

/** Every file of a tarball by its path in the package, without bundled packages, which are audited by themselves. */
async function unpack(tarball: Buffer): Promise<Map<string, Uint8Array>> {
  const entries = await unpackTar(await unzip(tarball), {
    strip: 1, // Tarballs hold one folder, mostly called `package`.
    filter: ({ name, type }) => type === "file" && !/^[^/]+\/node_modules\//u.test(name),
  });
  return new Map(entries.map(({ header, data }) => [header.name, data ?? new Uint8Array()]));
}

function ifMissing(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
  throw error;
}

/** npm tells it to the scripts it runs; otherwise it is at its default place. */
function npmCache(): string {
  const home =
    process.platform === "win32" ? join(homedir(), "AppData", "Local", "npm-cache") : join(homedir(), ".npm");
  return join(process.env.npm_config_cache ?? home, "_cacache");
}
