// errand verify, and what the other commands make of a journal that is not whole.
import { readdir, readFile, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { TaskManager } from "errand";
import { fileStore } from "errand/stores/file";
import { expect, test } from "vitest";
import { documentOf, errand, printed } from "../support/command.js";
import { family } from "../support/journals.js";
import { pictureOf, place } from "../support/place.js";

/** A journal, and the one file it has. */
async function journal(): Promise<{ directory: string; file: string }> {
  const { directory: live } = await family();
  const directory = await pictureOf(live);
  const name = (await readdir(directory)).find((each) => each.startsWith("events."));
  return { directory, file: path.join(directory, name ?? "") };
}

test("a whole journal is drawn segment by segment, and is fine", async () => {
  const { directory, file } = await journal();
  const { length } = await readFile(file);
  const size = `${(length / 1000).toFixed(1)} kB`;
  expect(await printed(["verify", directory])).toBe(`\
${directory} is whole.

  ${path.basename(file)}  ████████████████████████  ${size}  31 events  1 to 31

  events    31, from 1 to 31
  segments  1, ${size}
  snapshot  none
  outputs   0 in files of their own
`);
  expect(await documentOf(["verify", directory])).toMatchObject({ ok: true, events: 31, lastSeq: 31, directory });
});

test("a torn end is harmless, and every command says so", async () => {
  const { directory, file } = await journal();
  const { length } = await readFile(file);
  await truncate(file, length - 10);
  const words = "The journal ends in half a batch: ";
  for (const name of ["verify", "ls"]) expect(await printed([name, directory])).toContain(words);
  expect(await printed(["verify", directory])).toMatch(/ is whole\.\n/u);
  expect(await documentOf(["verify", directory])).toMatchObject({ ok: true, torn: { file } });
  expect(await documentOf(["ls", directory])).toMatchObject({ torn: { file } });
  expect(await printed(["tail", directory, "-n", "1"])).toMatch(/^ +28 /u);
});

test("a journal that is broken in the middle is reported by file, line and byte, with what to do", async () => {
  const { directory, file } = await journal();
  const text = await readFile(file, "utf8");
  const line = text.split("\n").findIndex((each) => each.includes('"seq":26,')) + 1;
  const byte = Buffer.byteLength(
    `${text
      .split("\n")
      .slice(0, line - 1)
      .join("\n")}\n`,
  );
  await writeFile(file, text.replace('"seq":26,', '"seq":62,'));
  const where = `${file}:${line}, byte ${byte}`;

  const { code, stdout, stderr } = await errand(["verify", directory]);
  expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
  expect(stdout).toContain(`${directory} is broken; nothing behind this was looked at:\n`);
  expect(stdout).toContain(where);
  expect(stdout).toContain(`  ${path.basename(file)}  ✗ line ${line}\n`);
  expect(stdout).toContain(`  mv ${directory} ${directory}.broken\n`);
  expect(stdout).toContain(`  errand tail ${directory} --json -n 1000000\n`);
  const json = await errand(["verify", directory, "--json"]);
  expect(json.code).toBe(1);
  expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, broken: { file, line, byte } });

  for (const args of [
    ["ls", directory],
    ["show", directory, "task_1"],
  ]) {
    const refused = await errand(args);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain(where);
    expect(refused.stderr).toContain("errand verify says how much of it is whole");
  }
  const saved = await errand(["tail", directory, "--json", "-n", "1000000"]);
  expect(saved.code).toBe(1);
  const seqs = saved.stdout
    .trimEnd()
    .split("\n")
    .map((each) => (JSON.parse(each) as { seq: number }).seq);
  expect(seqs[0]).toBe(1);
  expect(seqs.length).toBeGreaterThan(20);
  expect(saved.stderr).toContain(where);
});

test("an output that is lost is reported by task and file, and every other command works", async () => {
  const directory = path.join(await place(), "store");
  const manager = await TaskManager.open({ store: fileStore(directory) });
  await manager.spawn(() => "x".repeat(100_000), { id: "report" }).result();
  await manager.spawn(() => "short", { id: "short" }).result();
  await manager.close();
  const file = path.join(directory, "results", "report.json");
  await truncate(file, 0);
  const { code, stdout } = await errand(["verify", directory]);
  expect(code).toBe(1);
  expect(stdout).toContain(`${directory} opens, and 1 output of it is lost:`);
  expect(stdout).toMatch(/ {2}report +.*report\.json: the file is empty/u);
  expect(stdout).toContain("rm ");
  const { stdout: document } = await errand(["verify", directory, "--json"]);
  expect(JSON.parse(document)).toMatchObject({ ok: false, lostOutputs: [{ taskId: "report", file }] });
  expect(await printed(["ls", directory])).toMatch(/report[^]*short/u);
  expect(await printed(["show", directory, "report"])).toContain("it is lost: ");
  expect(await printed(["tail", directory])).toContain("short");
});

test("an empty directory is whole, and one that is not there is an error", async () => {
  const directory = await place();
  expect(await printed(["verify", directory])).toContain(`Nothing is stored in ${directory} yet.`);
  expect(await documentOf(["verify", directory])).toMatchObject({ ok: true, events: 0 });
  expect(await errand(["verify", path.join(directory, "missing")])).toMatchObject({ code: 1, stdout: "" });
});
