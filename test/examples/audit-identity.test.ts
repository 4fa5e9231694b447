// Which package the audit believes it sees: the folder says it, and a policy's rule is for nothing else.

import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { identify } from "../../examples/audit/identity.js";
import { findPackages } from "../../examples/audit/packages.js";
import { judge, readPolicy } from "../../examples/audit/policy.js";
import type { Report } from "../../examples/audit/report.js";
import { runExample } from "./program.js";
import { type FakePackage, MIT_TEXT, makeProject, type Project } from "./project.js";

const projects: Project[] = [];
const folders: string[] = [];
afterEach(async () => {
  await Promise.all(projects.splice(0).map((project) => project.remove()));
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true, force: true })));
});

const stealing = { license: "MIT", scripts: { postinstall: "node steal.js" } };
const files = { LICENSE: MIT_TEXT };

async function reported(packages: readonly FakePackage[], policy: object): Promise<Report & { code: number | null }> {
  const project = await makeProject(...packages);
  projects.push(project);
  const file = join(project.folder, "policy.json");
  await writeFile(file, JSON.stringify(policy));
  const ended = await runExample("audit/main", [project.folder, "--policy", file, "--json"], { env: project.env });
  return { ...(JSON.parse(ended.stdout) as Report), code: ended.code };
}

async function folderOf(contents: { readonly [path: string]: string }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "errand-identity-"));
  folders.push(folder);
  for (const [path, text] of Object.entries(contents)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

describe("a package", () => {
  test("that calls itself another one gets none of its approvals, and is a risk to ask about", async () => {
    const disguised: FakePackage = {
      name: "helper",
      manifest: { ...stealing, name: "esbuild" },
      files,
    };
    const approve = { "install-script esbuild@1.0.0": "known", "other-identity esbuild@*": "known" };
    const { code, clean, decisions } = await reported([disguised], { approve });
    expect([code, clean]).toEqual([1, false]);
    expect(decisions.map(({ request, decision }) => [request, decision])).toEqual([
      ["other-identity helper@1.0.0", "denied"],
      ["install-script helper@1.0.0", "denied"],
    ]);
  });

  test("whose version has a line break is denied by the rule for that version, and asked about", async () => {
    const odd: FakePackage = { name: "odd", manifest: { ...stealing, version: "1.0.0\n" }, files };
    const policy = { deny: { "install-script odd@1.0.0": "known to steal" }, approve: { "* odd@*": "all of it" } };
    const { clean, decisions } = await reported([odd], policy);
    expect(clean).toBe(false);
    expect(decisions).toContainEqual(
      expect.objectContaining({ request: "install-script odd@1.0.0", decision: "denied", reason: "known to steal" }),
    );
    expect(decisions).toContainEqual(expect.objectContaining({ request: "other-identity odd@1.0.0" }));
  });
});

describe("an identity", () => {
  test.each<[folder: string, claimed: string, written: string, id: string]>([
    ["esbuild", "esbuild", "0.25.1", "esbuild@0.25.1"],
    ["@scope/a", "@scope/a", "1.0.0-rc.1+b", "@scope/a@1.0.0-rc.1+b"],
    ["JSONStream", "JSONStream", "1.3.5", "JSONStream@1.3.5"],
  ])("of %s is plain", (folder, claimed, written, id) => {
    expect(identify(folder, claimed, written)).toEqual({ id, version: written, doubts: [] });
  });

  test.each<[what: string, folder: string, claimed: string, written: string, id: string]>([
    ["another name", "helper", "esbuild", "0.25.1", "helper@0.25.1"],
    ["other capitals", "esbuild", "ESBuild", "0.25.1", "esbuild@0.25.1"],
    ["a letter that looks alike", "esbu\u0456ld", "esbu\u0456ld", "0.25.1", "esbu%D1%96ld@0.25.1"],
    ["a name with a version in it", "esbuild@0.25.1", "esbuild@0.25.1", "1.0.0", "esbuild%400.25.1@1.0.0"],
    ["blanks around the version", "a", "a", " v1.0.0 ", "a@1.0.0"],
    ["a line break after the version", "a", "a", "1.0.0\n", "a@1.0.0"],
    ["a version that is none", "a", "a", "latest", "a@latest"],
    ["a version and more", "a", "a", "1.0.0 || 2.0.0", "a@1.0.0%20%7C%7C%202.0.0"],
    ["a version with hidden text", "a", "a", "1.0.0\u200B", "a@1.0.0%E2%80%8B"],
  ])("with %s is doubted, and spelt so that no other rule takes it", (_what, folder, claimed, written, id) => {
    const identity = identify(folder, claimed, written);
    expect(identity.id).toBe(id);
    expect(identity.doubts.length).toBeGreaterThan(0);
  });
});

test("a rule's * stands for any text, line breaks too", async () => {
  const folder = await folderOf({ "policy.json": JSON.stringify({ deny: { "install-script *": "never" } }) });
  const policy = await readPolicy(join(folder, "policy.json"));
  expect(judge(policy, "install-script a@1\n2")).toMatchObject({ approved: false });
});

test("a link that leads out of the project is a package, once; one that stays inside is not", async () => {
  const outside = await folderOf({ "package.json": "{}", "node_modules/x/package.json": "{}" });
  const project = await folderOf({ "node_modules/a/package.json": "{}", "packages/own/package.json": "{}" });
  await symlink(outside, join(project, "node_modules", "linked"));
  await symlink(outside, join(outside, "node_modules", "again"));
  await symlink(join(project, "packages", "own"), join(project, "node_modules", "own"));
  await symlink(join(project, "nowhere"), join(project, "node_modules", "broken"));
  const found = await findPackages(project, new AbortController().signal);
  expect(found.map(({ path }) => path).toSorted()).toEqual([
    "node_modules/a",
    "node_modules/linked",
    "node_modules/linked/node_modules/x",
  ]);
});
