// The command line: what --help tells, and how a wrong one is refused.
import { expect, test } from "vitest";
import { errand, printed } from "../support/command.js";

test("--help of the command and of each of its commands tells what it takes and its exit codes", async () => {
  const asked = [["--help"], ["ls", "--help"], ["show", "-h"], ["tail", "--help"], ["verify", "DIR", "--help"]];
  for (const args of asked) {
    const stdout = await printed(args);
    expect(stdout).toContain(`errand ${args[0]?.replace("--help", "ls")} DIR`);
    expect(stdout).toContain("--json");
    expect(stdout).toContain("Exit code: 0");
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  }
});

test("a wrong command line is refused in one line that says what would be right", async () => {
  const ls = "The way is: errand ls DIR [--status S] [--all] [--json] [--help]";
  const tail = "The way is: errand tail DIR [-n N] [--follow] [--task ID] [--json] [--help]";
  const commands = "The way is: errand ls|show|tail|verify DIR; see errand --help";
  const wrong: [string[], string][] = [
    [[], `A command is missing. ${commands}`],
    [["list", "x"], `There is no command list. ${commands}`],
    [["ls"], `The directory of the journal, DIR, is missing. ${ls}`],
    [["ls", "a", "b"], `b is too much. ${ls}`],
    [["ls", "a", "--folow"], `errand ls has no option --folow. ${ls}`],
    [["ls", "a", "--follow"], `errand ls has no option --follow. ${ls}`],
    [["ls", "a", "--all=yes"], `Option '--all' does not take an argument. ${ls}`],
    [["tail", "a", "-n", "-3"], `Option '-n' needs an argument. ${tail}`],
    [["tail", "a", "--task"], `Option '--task <value>' argument missing. ${tail}`],
    [["tail", "a", "-n", "many"], `-n takes a whole number from 0 on, not "many". ${tail}`],
    [["show", "a"], "The ID of a task is missing. The way is: errand show DIR ID [--events N] [--json] [--help]"],
  ];
  const said = await Promise.all(wrong.map(([args]) => errand(args)));
  expect(said).toEqual(wrong.map(([, line]) => ({ code: 2, stdout: "", stderr: `${line}\n` })));
  const { stderr } = await errand(["ls", "a", "--status", "done"]);
  expect(stderr).toMatch(/^There is no status "done": it is one of queued, running, blocked, .*\n$/u);
});
