// The package with the tools of its users: packs and installs it in an empty folder, and there
//   (a) type-checks every entry point with each older compiler that is supported, the libraries' own types checked,
//   (b) type-checks that the drivers of SQLite that work are what `sqlite()` takes, and that nothing else is,
//   (c) bundles each entry point with rollup and no plugin but the one that finds packages, and imports what came of it away from any package;
//       bundles a program that opens a file store, also as one file with esbuild, and runs it there,
//   (d) opens a file store under Yarn Plug'n'Play, which stands between a program and its files.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Installed in a folder of their own: none is needed to work on the project. */
const TOOLS = {
  "typescript-5.4": "npm:typescript@5.4.5",
  "typescript-5.5": "npm:typescript@5.5.4",
  "typescript-5.9": "npm:typescript@5.9.3",
  "@types/better-sqlite3": "7.6.13",
  "@types/node": "22.19.1",
  libsql: "0.5.29",
  rollup: "4.53.3",
  "@rollup/plugin-node-resolve": "16.0.3",
  "@yarnpkg/cli-dist": "4.9.1",
};
const COMPILERS = ["typescript-5.4", "typescript-5.5", "typescript-5.9"];
const RESOLUTIONS = { esnext: "bundler", nodenext: "nodenext" };

const DRIVERS = `
import Better from "better-sqlite3";
import Libsql from "libsql";
import LibsqlLater from "libsql/promise";
import { DatabaseSync } from "node:sqlite";
import { sqlite } from "errand/stores/sql";
sqlite(new Libsql("a"));
sqlite(new Better("a"));
sqlite(new DatabaseSync("a"));
// @ts-expect-error its statements answer later
sqlite(new LibsqlLater("a"));
// @ts-expect-error a path is no database
sqlite("a");
`;

const ROLLUP = `
import resolve from "@rollup/plugin-node-resolve";
export default {
  external: /^(node:|execa$|croner$)/,
  plugins: [resolve({ preferBuiltins: true })],
  output: { entryFileNames: "[name].mjs", chunkFileNames: "[name].mjs" },
  onwarn(warning) {
    if (warning.code !== "CIRCULAR_DEPENDENCY") throw new Error(warning.message);
  },
};
`;

/** A program that writes, closes and reads a file store, and awaits at its top level. */
const STORE = `
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TaskManager } from "errand";
import { fileStore } from "errand/stores/file";
const folder = mkdtempSync(join(tmpdir(), "errand-store-"));
for (const id of ["one", "two"]) {
  const manager = await TaskManager.open({ store: fileStore(join(folder, "store")) });
  await manager.spawn(() => "x".repeat(100_000), { id }).result();
  if ((await manager.get("one").result()).length !== 100_000) throw new Error("its output is lost");
  await manager.close();
}
rmSync(folder, { recursive: true });
`;

const PNP = `if (process.versions.pnp === undefined) throw new Error("this is not Plug'n'Play");\n${STORE}`;

const root = fileURLToPath(new URL("..", import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const entries = Object.entries(manifest.exports)
  .filter(([, target]) => typeof target !== "string")
  .map(([subpath]) => `${manifest.name}${subpath.slice(1)}`);

// Under `npm run` this names the project's folder, and an npm started here would install into it.
const env = { ...process.env };
delete env.npm_config_local_prefix;

function run(cwd, command, ...args) {
  try {
    return execFileSync(command, args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    throw new Error(`${command} ${args.join(" ")}\n${error.stdout}${error.stderr}`, { cause: error });
  }
}

function made(parent, name, files) {
  const folder = join(parent, name);
  mkdirSync(folder);
  for (const [file, content] of Object.entries(files)) {
    writeFileSync(join(folder, file), typeof content === "string" ? content : JSON.stringify(content));
  }
  return folder;
}

const base = mkdtempSync(join(tmpdir(), "errand-compatibility-"));
const install = ["install", "--no-audit", "--no-fund", "--ignore-scripts"];
try {
  const [{ filename }] = JSON.parse(run(root, "npm", "pack", "--json", "--pack-destination", base));
  const tools = made(base, "tools", { "package.json": { name: "tools", private: true, dependencies: TOOLS } });
  run(tools, "npm", ...install);
  const tool = (...parts) => join(tools, "node_modules", ...parts);
  const all = entries.map(
    (entry, index) => `import * as entry${index} from "${entry}";\nconsole.log(entry${index});\n`,
  );
  const user = made(base, "user", {
    "package.json": { name: "user", private: true, type: "module" },
    "all.ts": all.join(""),
    "drivers.ts": DRIVERS,
    "rollup.config.mjs": ROLLUP,
  });
  run(user, "npm", ...install, join(base, filename));
  const types = ["--typeRoots", tool("@types"), "--types", "node", "--target", "es2022", "--noEmit"];
  const strict = ["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"];

  // (a)
  for (const compiler of COMPILERS) {
    for (const [module, resolution] of Object.entries(RESOLUTIONS)) {
      const settings = ["--module", module, "--moduleResolution", resolution, "--skipLibCheck", "false"];
      run(user, process.execPath, tool(compiler, "bin/tsc"), ...settings, ...types, ...strict, "all.ts");
    }
    console.log(`types: every entry point compiles with ${compiler}`);
  }

  // (b)
  for (const name of ["libsql", "@types/better-sqlite3"]) {
    mkdirSync(dirname(join(user, "node_modules", name)), { recursive: true });
    symlinkSync(tool(name), join(user, "node_modules", name));
  }
  // The types of a driver are its own to check.
  const loose = ["--module", "nodenext", "--skipLibCheck"];
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  run(user, process.execPath, compiler, ...loose, ...types, ...strict, "drivers.ts");
  console.log("types: sqlite() takes a database of libsql, of better-sqlite3 and of node:sqlite, and nothing else");

  // (c)
  symlinkSync(tool("@rollup"), join(user, "node_modules", "@rollup"));
  const away = made(base, "away", {});
  for (const [index, entry] of entries.entries()) {
    writeFileSync(join(user, "entry.mjs"), `export * from "${entry}";\n`);
    const bundle = join(away, `entry${index}`);
    const rollup = [tool("rollup/dist/bin/rollup"), "--config", "rollup.config.mjs", "--silent"];
    run(user, process.execPath, ...rollup, "--input", "entry.mjs", "--dir", bundle);
    const script = `const names = Object.keys(await import("${join(bundle, "entry.mjs")}")); if (names.length === 0) throw new Error("exports nothing");`;
    run(away, process.execPath, "--input-type=module", "--eval", script);
  }
  writeFileSync(join(user, "entry.mjs"), STORE);
  run(
    user,
    process.execPath,
    tool("rollup/dist/bin/rollup"),
    "--config",
    "rollup.config.mjs",
    "--silent",
    "--input",
    "entry.mjs",
    "--dir",
    join(away, "store"),
  );
  run(away, process.execPath, join(away, "store", "entry.mjs"));
  const [alone, esbuild] = [join(away, "alone.mjs"), join(root, "node_modules/esbuild/bin/esbuild")];
  run(
    user,
    esbuild,
    "entry.mjs",
    "--bundle",
    "--platform=node",
    "--format=esm",
    "--log-level=error",
    `--outfile=${alone}`,
  );
  run(away, process.execPath, alone);
  console.log(
    "bundler: rollup bundles every entry point without a plugin for CommonJS, and esbuild makes one file of a program with a store",
  );

  // (d)
  const yarn = made(base, "yarn", {
    "package.json": { name: "yarn-user", private: true, dependencies: { errand: `file:../${filename}` } },
    // Yarn forbids a new lockfile where it finds that it runs in CI.
    ".yarnrc.yml":
      "nodeLinker: pnp\nenableTelemetry: false\nenableGlobalCache: false\nenableImmutableInstalls: false\n",
    "yarn.lock": "",
    "main.mjs": PNP,
  });
  run(yarn, process.execPath, tool("@yarnpkg/cli-dist/bin/yarn.js"), "install");
  run(yarn, process.execPath, tool("@yarnpkg/cli-dist/bin/yarn.js"), "node", "main.mjs");
  console.log("yarn: a file store opens, closes and opens again under Plug'n'Play");
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(base, { recursive: true, force: true });
}
