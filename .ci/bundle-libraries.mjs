// Puts the libraries that reach CommonJS into the package, each as one ES module with its licences: rollup reads no CommonJS without a plugin.
//
// eventemitter3 exports an ES module that wraps a CommonJS file, and p-queue imports it. Files of dist/ that import such a library import the
// module in dist/libraries/ instead.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const LIBRARIES = ["eventemitter3", "p-queue"];

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const read = (file) => readFileSync(file, "utf8");

const files = readdirSync(dist, { recursive: true })
  .filter((name) => name.endsWith(".js") || name.endsWith(".d.ts"))
  .map((name) => join(dist, name));

for (const library of LIBRARIES) {
  const importers = files.filter((file) =>
    [`from "${library}"`, `import("${library}")`].some((said) => read(file).includes(said)),
  );
  if (importers.length === 0) continue;
  const outfile = join(dist, "libraries", `${library}.js`);
  const { metafile } = await build({
    stdin: { contents: `export * from "${library}"; export { default } from "${library}";`, resolveDir: root },
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    metafile: true,
    outfile,
    logLevel: "error",
  });
  writeFileSync(outfile, noticesOf(Object.keys(metafile.inputs)) + read(outfile));
  for (const file of importers) {
    // Its types are those of a private field: no declaration shows them.
    if (file.endsWith(".d.ts")) throw new Error(`${file} shows types of ${library}, which its users may not have`);
    const specifier = relative(dirname(file), outfile).split(sep).join("/");
    const path = specifier.startsWith(".") ? specifier : `./${specifier}`;
    writeFileSync(file, read(file).replaceAll(`from "${library}"`, `from "${path}"`));
  }
}

/** The licence of each package that a bundle has. */
function noticesOf(inputs) {
  const packages = new Set(inputs.map((input) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0]).filter(Boolean));
  return [...packages].map(noticeOf).join("");
}

function noticeOf(folder) {
  const { name, version } = JSON.parse(read(join(root, folder, "package.json")));
  const licence = ["LICENSE", "license", "LICENSE.md"].map((file) => join(root, folder, file)).find(existsSync);
  if (licence === undefined) throw new Error(`${name} has no licence`);
  const lines = [`${name} ${version}`, "", ...read(licence).trim().split("\n")];
  return `/*!\n${lines.map((line) => ` * ${line}`.trimEnd()).join("\n")}\n */\n`;
}
