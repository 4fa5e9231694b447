// The package as a user gets it: packs, installs the tarball in an empty folder, and there
//   (a) imports every entry point of `exports` at runtime,
//   (b) type-checks consumer.ts under moduleResolution nodenext and bundler, with the libraries' own types checked, and runs it,
//   (c) runs the command it brings,
//   (d) asserts that nothing but the library's own dependencies was installed,
//   (e) reads a stack, which must name lines of the sources,
//   (f) weighs what was installed, and measures the time of `import "errand"` and of a first task: each has a bound.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkSize, checkStartTime } from "./bounds.mjs";

/** The function of a task throws: the stack has the call of that function in errand. */
const THROWER = `
import { TaskManager } from "errand";
const outcome = await new TaskManager().spawn(() => { throw new Error("here"); }).outcome();
console.log(outcome.error.stack);
`;

const root = fileURLToPath(new URL("..", import.meta.url));
const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));
const manifest = readJson(join(root, "package.json"));

// Under `npm run` this names the project's folder, and an npm started here would install into it.
const { npm_config_local_prefix: _, ...env } = process.env;
const run = (cwd, command, ...args) => {
  try {
    return execFileSync(command, args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    throw new Error(`${command} ${args.join(" ")}\n${error.stdout}${error.stderr}`, { cause: error });
  }
};
const tsc = join(root, "node_modules", "typescript", "bin", "tsc");

const folder = mkdtempSync(join(tmpdir(), "errand-package-"));
try {
  const [{ filename, files }] = JSON.parse(run(root, "npm", "pack", "--json", "--pack-destination", folder));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  run(folder, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", `./${filename}`);

  // (a)
  const entries = Object.entries(manifest.exports).filter(([, target]) => typeof target !== "string");
  for (const [subpath] of entries) {
    const specifier = `${manifest.name}${subpath.slice(1)}`;
    const script = `const names = Object.keys(await import("${specifier}")); if (names.length === 0) throw new Error("exports nothing");`;
    run(folder, process.execPath, "--input-type=module", "--eval", script);
  }
  console.log(`runtime: ${entries.length} entry points import`);

  // (b)
  copyFileSync(join(root, ".ci", "consumer.ts"), join(folder, "consumer.ts"));
  for (const [module, moduleResolution] of [
    ["esnext", "bundler"],
    ["nodenext", "nodenext"],
  ]) {
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          module,
          moduleResolution,
          target: "es2022",
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          skipLibCheck: false,
          outDir: moduleResolution,
          // A Node program has Node's types; they are not errand's to install.
          typeRoots: [join(root, "node_modules", "@types")],
          types: ["node"],
        },
        files: ["consumer.ts"],
      }),
    );
    run(folder, process.execPath, tsc, "-p", "tsconfig.json");
    run(folder, process.execPath, join(moduleResolution, "consumer.js"));
    console.log(`types: consumer.ts compiles and runs, moduleResolution ${moduleResolution}`);
  }

  // (c)
  const said = run(folder, join(folder, "node_modules", ".bin", "errand"), "--version").trim();
  if (!said.includes(manifest.version)) throw new Error(`errand --version says ${said}, not ${manifest.version}`);
  console.log(`command: errand ${manifest.version}`);

  // (d)
  const names = (lock, keep) =>
    Object.entries(lock.packages)
      .filter(([path, entry]) => path !== "" && keep(entry))
      .map(([path]) => path.replace(/^.*node_modules\//, ""))
      .filter((name) => name !== manifest.name)
      .sort();
  const own = names(
    readJson(join(root, "package-lock.json")),
    (entry) => !entry.dev && !entry.devOptional && !entry.peer,
  );
  const installed = names(readJson(join(folder, "node_modules", ".package-lock.json")), () => true);
  const strangers = installed.filter((name) => !own.includes(name));
  const missing = Object.keys(manifest.dependencies).filter((name) => !installed.includes(name));
  if (strangers.length > 0 || missing.length > 0) {
    throw new Error(
      `installed but not ours: [${strangers.join(", ")}]; ours but not installed: [${missing.join(", ")}]`,
    );
  }
  console.log(`install: ${files.length} files of our own, and ${installed.join(", ")}`);

  // (e)
  const stack = run(folder, process.execPath, "--enable-source-maps", "--input-type=module", "--eval", THROWER);
  const [place, file, line] = /errand\/(lib\/.*\.ts):(\d+)/.exec(stack) ?? [];
  const source = place && readFileSync(join(root, file), "utf8").split("\n")[line - 1];
  if (!source?.includes("(work")) throw new Error(`${place} is not the call of a task's function: ${source}\n${stack}`);
  console.log(`stack: names the sources, such as ${file}:${line}`);

  // (f)
  checkSize(folder, root);
  checkStartTime(folder, root);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
