// A small project with installed packages, made for one test: node_modules, a lockfile, and npm's cache with the tarballs.
//
// `tamper` changes an installed file after its tarball was hashed; `cached: false` leaves the tarball out of the cache.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";

import cacache from "cacache";
import { packTar } from "modern-tar";

export interface FakePackage {
  readonly name: string;
  /** Text as it is; an object as JSON. */
  readonly manifest: string | { readonly [field: string]: unknown };
  readonly files?: { readonly [path: string]: string };
  readonly tamper?: { readonly [path: string]: string };
  readonly cached?: boolean;
}
export interface Project {
  readonly folder: string;
  /** For the environment of the audit. */
  readonly env: { readonly npm_config_cache: string };
  remove(): Promise<void>;
}

export const MIT_TEXT = await readFile(new URL("../../LICENSE", import.meta.url), "utf8");
const AGPL_TEXT = "GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3, 19 November 2007\n";

export const mit: FakePackage = {
  name: "plain-mit",
  manifest: { license: "MIT" },
  files: { LICENSE: MIT_TEXT, "index.js": "// eval('not code')\nexport default 1;\n" },
};
export const scripted: FakePackage = {
  name: "with-install-script",
  manifest: { license: "MIT", scripts: { postinstall: "node build.js" } },
  files: { LICENSE: MIT_TEXT, "build.js": "require('node:child_process').execSync('make');\n" },
};
export const agpl: FakePackage = {
  name: "@scope/agpl",
  manifest: { license: "AGPL-3.0-only" },
  files: { COPYING: AGPL_TEXT },
};
export const unknown: FakePackage = {
  name: "unknown-licence",
  manifest: {},
  files: { LICENSE: "Ask my lawyer.\n" },
  cached: false,
};
export const broken: FakePackage = { name: "broken-manifest", manifest: '{ "name": "broken-manifest", ' };
export const tampered: FakePackage = {
  ...mit,
  name: "tampered",
  tamper: { "index.js": "export default eval('2');\n" },
};
/** Some seconds of scanning. */
export const huge: FakePackage = {
  ...mit,
  name: "zz-huge",
  files: { "huge.js": "eval;f(x, 'y');\n".repeat(2_000_000) },
  cached: false,
};

export async function makeProject(...packages: readonly FakePackage[]): Promise<Project> {
  const folder = await mkdtemp(join(tmpdir(), "errand-audit-"));
  const cache = join(folder, "npm-cache");
  const locked: { [path: string]: object } = {};
  for (const pkg of packages) {
    const path = `node_modules/${pkg.name}`;
    const { manifest } = pkg;
    const text =
      typeof manifest === "string" ? manifest : JSON.stringify({ name: pkg.name, version: "1.0.0", ...manifest });
    const files = { "package.json": text, ...pkg.files };
    await write(join(folder, path), files);
    const entries = Object.entries(files).map(([name, body]) => ({
      header: { name: `package/${name}`, size: Buffer.byteLength(body) },
      body,
    }));
    const tarball = gzipSync(await packTar(entries));
    const stored = await cacache.put(join(cache, "_cacache"), pkg.name, tarball, { algorithms: ["sha512"] });
    if (pkg.cached === false) await cacache.rm.content(join(cache, "_cacache"), stored);
    await write(join(folder, path), pkg.tamper ?? {});
    locked[path] = { version: "1.0.0", integrity: stored };
  }
  await write(folder, { "package-lock.json": JSON.stringify({ lockfileVersion: 3, packages: { "": {}, ...locked } }) });
  return { folder, env: { npm_config_cache: cache }, remove: () => rm(folder, { recursive: true, force: true }) };
}

async function write(folder: string, files: { readonly [path: string]: string }): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}
