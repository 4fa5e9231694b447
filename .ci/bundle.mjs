// Bundles the package: one module and one declaration file for each entry of `exports` and `bin`, and core.js and core.d.ts with what entries share.
//
// The libraries of the core are in the modules, with their licences in THIRD-PARTY-NOTICES.txt. Node's modules, optional peers and errand's own
// public names stay imports. The declarations come from build/types, which `tsc -p tsconfig.build.json` writes.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decode, encode } from "@jridgewell/sourcemap-codec";
import { rolldown } from "rolldown";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const cli = join(root, "lib", "cli");
const emitter = join(root, "node_modules", "eventemitter3", "dist", "eventemitter3.esm.js");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Packages that a program of a user brings, with each of their subpaths. */
const outside = [manifest.name, ...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)];
const isOutside = (specifier) => outside.some((name) => specifier === name || specifier.startsWith(`${name}/`));

/** The names of the modules that `package.json` publishes: ./dist/kinds/index.js is kinds/index. */
const published = Object.values(manifest.exports).flatMap((target) =>
  typeof target === "string" ? [] : target.default,
);
const nameOf = (file) => file.replace(/^\.\/dist\/(.*)\.js$/, "$1");
const entries = published.map(nameOf);
const commands = Object.values(manifest.bin).map(nameOf);
const inputs = (names, folder, suffix) =>
  Object.fromEntries(names.map((name) => [name, join(root, folder, `${name}${suffix}`)]));

await bundleModules();
await bundleDeclarations();

async function bundleModules() {
  const bundle = await rolldown({
    input: inputs([...entries, ...commands], "lib", ".ts"),
    cwd: root,
    platform: "node",
    external: isOutside,
    // The ES module of a library, where it has one: what it does not use is left out.
    // The entry of eventemitter3 is CommonJS, and rolldown's code for CommonJS loads `node:module` in each program.
    resolve: { mainFields: ["module", "main"], alias: { eventemitter3: emitter } },
    transform: { target: "node20.19" },
    onLog,
  });
  const { output } = await bundle.write({
    dir: dist,
    format: "esm",
    chunkFileNames: ({ name }) => (name === "core" ? "core.js" : `cli/${name}.js`),
    codeSplitting: { groups: [{ name: "core", minShareCount: 2, test: (id) => !id.startsWith(cli) }] },
    minifyInternalExports: false,
    // `require("croner")` stays as it is written: a bundler of a user then finds the package.
    polyfillRequire: false,
    // The declarations have the docstrings.
    // ASCII and short names of variables are read faster. Classes and functions keep their names, which a stack shows, and lines stay lines.
    charset: "ascii",
    minify: { compress: false, mangle: { toplevel: false, keepNames: true }, codegen: { removeWhitespace: false } },
    comments: { legal: true, annotation: true, jsdoc: false },
    sourcemap: true,
    // A stack names a line of the sources, which are in the repository.
    sourcemapExcludeSources: true,
  });
  for (const { code, map, sourcemapFileName } of output) {
    if (map) writeFileSync(join(dist, sourcemapFileName), JSON.stringify(thinned(map, code.split("\n"))));
  }
  writeFileSync(join(dist, "THIRD-PARTY-NOTICES.txt"), noticesOf(output.flatMap(({ map }) => map?.sources ?? [])));
}

/**
 * A map with what a stack needs: the first place of each line of a source, and the places of methods and functions whose names the bundler has
 * changed. It has no names of variables.
 */
function thinned(map, code) {
  const names = new Map();
  const indexOf = (name) => names.get(name) ?? names.set(name, names.size).get(name);
  const lines = decode(map.mappings).map((places, row) => {
    let isAfterName = false;
    return places.flatMap(([column, file, line, at, name], index) => {
      const [, lastFile, lastLine] = places[index - 1] ?? [];
      const isNamed = name !== undefined && /^(?:#|\w+\$)/.test(code[row].slice(column));
      const isKept = isNamed || isAfterName || file !== lastFile || line !== lastLine;
      isAfterName = isNamed;
      if (!isKept) return [];
      return [isNamed ? [column, file, line, at, indexOf(map.names[name])] : [column, file, line, at]];
    });
  });
  return { ...map, names: [...names.keys()], mappings: encode(lines) };
}

async function bundleDeclarations() {
  const bundle = await rollup({
    input: inputs(entries, join("build", "types"), ".d.ts"),
    external: (specifier) => specifier.startsWith("node:") || isOutside(specifier),
    plugins: [dts()],
    onLog,
  });
  await bundle.write({
    dir: dist,
    format: "esm",
    entryFileNames: "[name].d.ts",
    chunkFileNames: "[name].d.ts",
    manualChunks: (id, { getModuleInfo }) => (isShared(id, getModuleInfo) ? "core" : undefined),
    minifyInternalExports: false,
  });
}

/** A warning ends the build, such as that of an import that is not found. */
function onLog(level, { message }) {
  if (level === "warn") throw new Error(message);
}

/** Whether several entries need a module that is no entry itself. */
function isShared(module, infoOf) {
  const importers = new Set([module]);
  for (const id of importers) for (const importer of infoOf(id).importers) importers.add(importer);
  return !infoOf(module).isEntry && [...importers].filter((id) => infoOf(id).isEntry).length > 1;
}

/** The licence of each package that a source is from. */
function noticesOf(sources) {
  const folders = new Set(
    sources.flatMap((source) => /node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+/.exec(source) ?? []),
  );
  const notices = Array.from(folders, noticeOf).toSorted((a, b) => a.localeCompare(b));
  return notices.join(`\n${"-".repeat(80)}\n\n`);
}

function noticeOf(folder) {
  const { name, version } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
  const licence = readdirSync(join(root, folder)).find((file) => /^licen[cs]e(\.md|\.txt)?$/i.test(file));
  if (licence === undefined) throw new Error(`${name} has no licence`);
  return `${name} ${version}\n\n${readFileSync(join(root, folder, licence), "utf8").trim()}\n`;
}
