// Node line: another line of Node, from the npm package `node`, for the checks and the bench that run on all of them.
//
//   node .ci/node-line.mjs 22      # prints the path of a Node 22
//
// Installs the newest version of that line on first use, into node_modules/.cache. To get a newer one, remove that folder.
// The line that runs this program is not installed again: its own path is printed.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const [line = "", ...rest] = process.argv.slice(2);
if (!/^\d+$/u.test(line) || rest.length > 0) {
  console.error("node .ci/node-line.mjs 22");
  process.exit(2);
}

const isOf = (version) => version.startsWith(`v${line}.`);

function installed() {
  const folder = join(fileURLToPath(new URL("..", import.meta.url)), "node_modules", ".cache", `errand-node-${line}`);
  const binary = join(folder, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
    // Under `npm run` this names the project's folder, and an npm started here would install into it.
    const { npm_config_local_prefix: _, ...env } = process.env;
    // What npm prints goes to stderr: stdout has the path alone.
    execFileSync("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock", `node@${line}`], {
      cwd: folder,
      env,
      stdio: ["ignore", process.stderr, process.stderr],
    });
  }
  const version = execFileSync(binary, ["--version"], { encoding: "utf8" }).trim();
  if (!isOf(version)) throw new Error(`${binary} is Node ${version}, and not of line ${line}`);
  return binary;
}

console.log(isOf(process.version) ? process.execPath : installed());
