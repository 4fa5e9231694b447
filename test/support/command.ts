// The command, run in two ways: in a process of its own, as a user runs it, and in this process with streams of the
// test, where the process makes no difference.

import { type ChildProcessByStdio, execFile, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { Readable, Writable } from "node:stream";
import { afterAll, beforeAll } from "vitest";
import { run } from "../../lib/cli/run.js";
import { openTerminal, type Terminal } from "../../lib/cli/terminal.js";
import manifest from "../../package.json" with { type: "json" };
import { STARTED_AT } from "./journals.js";
import { type Compiled, compiled } from "./own-process.js";

export interface Said {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

// ── in this process ────────────────────────────────────────────────────────

export interface Settings {
  /** The present; default three minutes and five seconds after the journals begin. */
  readonly now?: number;
  /** The width of a terminal; without it stdout is no terminal. */
  readonly columns?: number;
  readonly env?: { readonly [name: string]: string };
  readonly interrupted?: AbortSignal;
  /** Called after each piece of stdout with all of stdout so far. */
  readonly onOutput?: (stdout: string) => void;
}

export async function errand(args: readonly string[], settings: Settings = {}): Promise<Said> {
  const { now = STARTED_AT + 185_000, columns, env = {}, interrupted, onOutput } = settings;
  let [stdout, stderr] = ["", ""];
  const write = (text: string): void => {
    stdout += text;
    onOutput?.(stdout);
  };
  const tty = columns === undefined ? {} : { isTTY: true, columns };
  const streams = {
    stdout: { write, on: () => undefined, ...tty },
    stderr: { write: (text: string) => void (stderr += text), on: () => undefined },
    env,
  };
  const terminal: Terminal = openTerminal(streams, () => now);
  const untilInterrupted = (): AbortSignal => interrupted ?? terminal.untilInterrupted();
  const code = await run(args, { ...terminal, untilInterrupted });
  return { code, stdout, stderr };
}

/** Resolves with stdout; rejects when the exit code is not 0 or stderr is not empty. */
export async function printed(args: readonly string[], settings?: Settings): Promise<string> {
  const { code, stdout, stderr } = await errand(args, settings);
  if (code !== 0 || stderr !== "") throw new Error(`errand ${args.join(" ")} ended with ${code}: ${stderr}`);
  return stdout;
}

/** Runs the command with --json and resolves with the one document on stdout. */
export async function documentOf(args: readonly string[]): Promise<{ readonly [field: string]: unknown }> {
  return JSON.parse(await printed([...args, "--json"]));
}

// ── in a process of its own ─────────────────────────────────────────────────────────────

let library: Compiled | undefined;

/**
 * Compiles the library for the tests of one file, into a folder that is a package named errand like an installed one.
 */
export function compileCommand(): void {
  beforeAll(async () => {
    library = await compiled();
    const { name, version, type } = manifest;
    const exports: unknown = JSON.parse(JSON.stringify(manifest.exports).replaceAll("./dist/", "./lib/"));
    await writeFile(path.join(library.folder, "package.json"), JSON.stringify({ name, version, type, exports }));
  });
  afterAll(() => library?.remove());
}

/** A program beside the compiled library, or the command itself. */
export async function program(source: string): Promise<string> {
  const file = path.join(folder(), `program-${Math.random().toString(36).slice(2)}.mjs`);
  await writeFile(file, source);
  return file;
}

export function command(): string {
  return path.join(folder(), "lib", "cli", "main.js");
}

export function execute(file: string, args: readonly string[], flags: readonly string[] = []): Promise<Said> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [...flags, file, ...args], { env: environment() }, (_, stdout, stderr) => {
      resolve({ code: child.exitCode, stdout, stderr });
    });
  });
}

/** Starts a program that runs until it is stopped. */
export function start(file: string, args: readonly string[]): ChildProcessByStdio<Writable, Readable, Readable> {
  return spawn(process.execPath, [file, ...args], { env: environment(), stdio: ["pipe", "pipe", "pipe"] });
}

/** Resolves with all output of a stream as soon as it contains `text`. */
export function until(stream: Readable, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    stream.setEncoding("utf8").on("data", (piece: string) => {
      said += piece;
      if (said.includes(text)) resolve(said);
    });
    stream.once("end", () => reject(new Error(`it ended before it said "${text}": ${said}`)));
  });
}

function folder(): string {
  if (library === undefined) throw new Error("ask for compileCommand() first");
  return library.folder;
}

function environment(): NodeJS.ProcessEnv {
  const { NO_COLOR: _, FORCE_COLOR: __, ...inherited } = process.env;
  return inherited;
}
