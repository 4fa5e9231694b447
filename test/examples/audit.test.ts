// The audit as a command: real processes on a small project. What it finds, who is asked, and how it exits.

import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { text as textOf } from "node:stream/consumers";

import { afterEach, describe, expect, test } from "vitest";

import { readOptions } from "../../examples/audit/options.js";
import type { Report } from "../../examples/audit/report.js";
import { type Ended, type RunOptions, runExample } from "./program.js";
import {
  agpl,
  broken,
  type FakePackage,
  huge,
  makeProject,
  mit,
  type Project,
  scripted,
  tampered,
  unknown,
} from "./project.js";

const projects: Project[] = [];
afterEach(async () => {
  await Promise.all(projects.splice(0).map((project) => project.remove()));
});

async function projectWith(...packages: FakePackage[]): Promise<Project> {
  const project = await makeProject(...packages);
  projects.push(project);
  return project;
}

function audit(project: Project, args: readonly string[] = [], options: RunOptions = {}): Promise<Ended> {
  return runExample("audit/main", [project.folder, ...args], {
    ...options,
    env: { OPENAI_API_KEY: "", ...project.env, ...options.env },
  });
}

function reportOf({ stdout }: Ended): Report {
  return JSON.parse(stdout) as Report;
}

describe("findings", () => {
  test("a project without risks is clean, and its files are verified against the lockfile", async () => {
    const ended = await audit(await projectWith(mit), ["--json"]);
    expect(ended.code).toBe(0);
    expect(reportOf(ended)).toMatchObject({
      status: "complete",
      clean: true,
      decisions: [],
      packages: [
        {
          name: "plain-mit",
          version: "1.0.0",
          licence: { name: "MIT", class: "permissive", problems: [] },
          size: { files: 3 },
          code: { files: 1, seen: { "evaluates code": [], "starts processes": [], "uses the network": [] } },
          files: { status: "verified", files: 3, added: [] },
        },
      ],
    });
  });

  test("each risk is asked about once, and with one slot the audit still comes to its end", async () => {
    const project = await projectWith(agpl, mit, scripted, tampered, unknown);
    const ended = await audit(project, ["--json", "--approve", "--concurrency", "1"]);
    const { decisions, packages } = reportOf(ended);
    expect(ended.code).toBe(0);
    expect(packages).toHaveLength(5);
    expect(decisions.map(({ request }) => request).toSorted()).toEqual([
      "changed-files tampered@1.0.0",
      "install-script with-install-script@1.0.0",
      "strong-copyleft @scope/agpl@1.0.0",
      "unknown-licence unknown-licence@1.0.0",
    ]);
    for (const decision of decisions) expect(decision).toMatchObject({ decision: "approved", by: "--approve" });
  });

  test("a package whose audit fails is reported with the reason, and the others go on", async () => {
    const ended = await audit(await projectWith(broken, mit), ["--json"]);
    const report = reportOf(ended);
    expect(ended.code).toBe(1);
    expect(report.failed).toEqual([
      { package: "broken-manifest", why: expect.stringContaining("package.json is not valid JSON") },
    ]);
    expect(report.packages.map(({ name }) => name)).toEqual(["plain-mit"]);
  });
});

describe("approvals", () => {
  test("--deny says no to everything, and that is a finding; what cannot be verified is said to be so", async () => {
    const ended = await audit(await projectWith(mit, unknown), ["--json", "--deny"]);
    expect(ended.code).toBe(1);
    expect(reportOf(ended)).toMatchObject({
      decisions: [{ request: "unknown-licence unknown-licence@1.0.0", decision: "denied", by: "--deny" }],
      totals: { verification: { verified: 1, "not verifiable (its tarball is not in npm's cache)": 1 } },
    });
  });

  test("an unattended run without a policy denies, and says so", async () => {
    const { code, stdout } = await audit(await projectWith(scripted));
    expect(code).toBe(1);
    expect(stdout).toContain("by unattended run: there is no terminal to ask on");
  });

  test("a package's words cannot steer the terminal on which they are shown", async () => {
    const repaint: FakePackage = { ...scripted, manifest: { license: "MIT", scripts: { install: "\u001B[2Jmake" } } };
    const { stdout } = await audit(await projectWith(repaint), ["--approve"]);
    expect(stdout).toContain("[2Jmake");
    expect(stdout).not.toContain("\u001B");
  });

  test("a policy decides by risk, package and version, and leaves the rest to others", async () => {
    const project = await projectWith(agpl, scripted, unknown);
    const policy = join(project.folder, "policy.json");
    await writeFile(
      policy,
      JSON.stringify({
        approve: { "install-script with-install-script@1.*": "read it" },
        deny: { "strong-copyleft *": "we ship closed source" },
      }),
    );
    const ended = await audit(project, ["--json", "--policy", policy]);
    expect(ended.code).toBe(1);
    expect(reportOf(ended).decisions.toSorted((a, b) => a.request.localeCompare(b.request))).toMatchObject([
      { request: expect.stringContaining("install-script"), decision: "approved", by: policy },
      {
        request: expect.stringContaining("strong-copyleft"),
        decision: "denied",
        by: policy,
        reason: "we ship closed source",
      },
      { request: expect.stringContaining("unknown-licence"), decision: "denied", by: "unattended run" },
    ]);
  });

  test("the project's own .audit-policy.json is used without being named", async () => {
    const project = await projectWith(scripted);
    await writeFile(
      join(project.folder, ".audit-policy.json"),
      JSON.stringify({ approve: { "install-script *": "read them" } }),
    );
    expect((await audit(project)).code).toBe(0);
  });
});

describe("stopping", () => {
  test("Ctrl-C in the middle of a scan cancels the tree, reports what was done and what was not, and exits with 130", async () => {
    let sent = false;
    const { code, stdout, stderr } = await audit(await projectWith(mit, huge), [], {
      onOutput: (text, kill) => {
        if (sent || !text.includes("plain-mit")) return;
        sent = true;
        kill("SIGINT");
      },
    });
    expect({ code, stderr }).toEqual({ code: 130, stderr: "" });
    expect(stdout).toContain("begun: zz-huge");
    expect(stdout).toContain("packages: 1 audited, 0 failed, 1 not done");
    expect(stdout).toContain("cancelled (Ctrl-C), not clean");
  });

  test("--timeout stops the audit with a partial report and exits with 1", async () => {
    const ended = await audit(await projectWith(mit, huge), ["--json", "--timeout", "0.7"]);
    expect(ended.code).toBe(1);
    expect(reportOf(ended)).toMatchObject({
      status: "timed out",
      clean: false,
      notDone: [{ package: "zz-huge", begun: true }],
    });
  });
});

describe("options", () => {
  test("--help explains them and exits with 0", async () => {
    const { code, stdout } = await runExample("audit/main", ["--help"]);
    expect(code).toBe(0);
    for (const option of ["approve", "deny", "policy", "concurrency", "timeout", "json", "model", "base-url"]) {
      expect(stdout).toContain(`--${option}`);
    }
  });

  test("a bad one ends the command with a message and exit code 2, before anything is done", async () => {
    const { code, stdout, stderr } = await runExample("audit/main", ["--frobnicate"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("--frobnicate");
    expect(stderr).not.toContain("    at ");
  });

  test.each([
    [["--concurrency", "0"], "--concurrency"],
    [["--timeout", "soon"], "--timeout"],
    [["--approve", "--deny"], "exclude each other"],
    [["--base-url", "http://localhost:1"], "--model"],
    [["--model", "m", "--base-url", "nowhere"], "--base-url"],
    [["--policy", "no-such-policy.json"], "no-such-policy.json"],
    [["--policy", "tsconfig.json"], "tsconfig.json"],
    [["no-such-folder"], "no node_modules"],
    [["a", "b"], "One folder"],
  ])("%j is refused, naming what is wrong", async (args, words) => {
    await expect(readOptions(args)).rejects.toThrow(words);
  });
});

describe("a model's summary", () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  function serve(status: number, body: unknown): Promise<string> {
    return serveEach(() => ({ status, body }));
  }

  /** What an API says to each request, whose body it is given. */
  async function serveEach(answer: (asked: string) => { status: number; body: unknown }): Promise<string> {
    server = createServer((request, response) => {
      void textOf(request).then((asked) => {
        const { status, body } = answer(asked);
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
      });
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const address = server.address();
    return typeof address === "object" && address !== null ? `http://127.0.0.1:${address.port}/v1` : "";
  }

  test("stands in the report", async () => {
    const url = await serve(200, { choices: [{ message: { content: "All is well." } }] });
    const ended = await audit(await projectWith(mit), ["--json", "--model", "m", "--base-url", url]);
    expect(ended.code).toBe(0);
    expect(reportOf(ended).summary).toBe("All is well.");
  });

  test("is written by a subagent that looks into the audit's tasks by its tools", async () => {
    const call = { id: "call_1", type: "function", function: { name: "list_tasks", arguments: '{"kind":"package"}' } };
    const url = await serveEach((asked) => {
      const { messages, tools } = JSON.parse(asked) as {
        messages: { role: string; content: string }[];
        tools: unknown[];
      };
      const seen = messages.find(({ role }) => role === "tool")?.content;
      const message = seen === undefined ? { content: null, tool_calls: [call] } : { content: `Seen: ${seen}` };
      return {
        status: 200,
        body: { choices: [{ message: { ...message, note: tools.length } }], usage: { prompt_tokens: 9 } },
      };
    });
    const ended = await audit(await projectWith(mit), ["--json", "--model", "m", "--base-url", url]);
    expect(reportOf(ended).summary).toMatch(/^Seen: .*"kind":"package".*"status":"succeeded"/);
  });

  test("is tried once more when its API fails", async () => {
    let asked = 0;
    const url = await serveEach(() =>
      asked++ === 0
        ? { status: 500, body: {} }
        : { status: 200, body: { choices: [{ message: { content: "Better." } }] } },
    );
    const ended = await audit(await projectWith(mit), ["--json", "--model", "m", "--base-url", url]);
    expect({ summary: reportOf(ended).summary, asked }).toEqual({ summary: "Better.", asked: 2 });
  });

  test("ends with its budget: the report still comes, and says so", async () => {
    const body = { choices: [{ message: { content: "Long." } }], usage: { prompt_tokens: 200_000 } };
    const ended = await audit(await projectWith(mit), ["--model", "m", "--base-url", await serve(200, body)]);
    expect(ended.code).toBe(0);
    expect(ended.stderr).toContain("its budget is spent: 200000 of 100000 tokens");
  });

  test.each([
    ["cannot be reached", 0, "ECONNREFUSED"],
    ["refuses", 401, "401"],
    ["answers nonsense", 200, "no text"],
  ])("is left out with a message when the API %s: the report still comes", async (_, status, words) => {
    const url = await serve(status, { nothing: true });
    if (status === 0) server?.close();
    const { code, stdout, stderr } = await audit(await projectWith(mit), ["--model", "m", "--base-url", url]);
    expect(code).toBe(0);
    expect(stderr).toContain(`No summary from m at ${url}: `);
    expect(stderr).toContain(words);
    expect(stdout).toContain("complete, clean");
  });
});

describe("--store", () => {
  /** A second or two of scanning: long enough to be killed in. */
  const slow: FakePackage = { ...huge, name: "zz-slow", files: { "slow.js": "eval;f(x, 'y');\n".repeat(400_000) } };

  test("D2 D4 killed in the middle and started again, it audits only what was not finished, and reports all of it", async () => {
    const project = await projectWith(agpl, mit, scripted, slow);
    const args = ["--store", join(project.folder, "store"), "--approve", "--concurrency", "2"];
    const killed = await audit(project, args, {
      onOutput: (stdout, kill) => {
        if (stdout.includes("succeeded  plain-mit")) kill("SIGKILL");
      },
    });
    expect(killed.code).toBe(null);
    const done = [...killed.stdout.matchAll(/^succeeded {2}(\S+)/gmu)].map(([, name = ""]) => name);
    expect(done).toContain("plain-mit");
    expect(done).not.toContain("zz-slow");

    const ended = await audit(project, [...args, "--json"]);
    const { status, packages, decisions } = reportOf(ended);
    expect(status).toBe("complete");
    expect(packages.map(({ name }) => name).toSorted()).toEqual([
      "@scope/agpl",
      "plain-mit",
      "with-install-script",
      "zz-slow",
    ]);
    expect(ended.stderr).toContain("succeeded  zz-slow");
    for (const name of done) expect(ended.stderr).not.toContain(`succeeded  ${name}`);
    // Asked, answered and kept, before the kill or after it: once each.
    expect(decisions.map(({ request }) => request).toSorted()).toEqual([
      "install-script with-install-script@1.0.0",
      "strong-copyleft @scope/agpl@1.0.0",
    ]);
  });

  test("D3 a store that another audit has open is said to be in use, and nothing is begun", async () => {
    const project = await projectWith(mit, slow);
    const args = ["--store", join(project.folder, "store"), "--approve"];
    let second: Promise<Ended> | undefined;
    const first = await audit(project, args, {
      onOutput: (stdout, kill) => {
        if (second !== undefined || !stdout.includes("succeeded  plain-mit")) return;
        // The first audit lives on, and does not end before the second one.
        kill("SIGSTOP");
        second = audit(project, args).finally(() => kill("SIGKILL"));
      },
    });
    expect(first.code).toBe(null);
    const refused = await second;
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused?.stderr).toMatch(/^The store .+ is open in .+: close it there, or use another store\n$/u);
  });
});
