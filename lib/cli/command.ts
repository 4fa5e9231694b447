// Command: the shape of a command, its arguments, its exit code and its error.

import type { TaskStatus } from "errand";
import type { Terminal } from "./terminal.js";

/** 0: success. 1: the thing asked for is missing or broken. 2: the command line is wrong. */
export type ExitCode = 0 | 1 | 2;

/** The long names of all options. */
export type OptionName = "status" | "all" | "events" | "lines" | "follow" | "task" | "json" | "help";

/** The arguments of a command after parsing. An argument that was left out is absent. */
export interface CommandArguments {
  /** The directory of the journal. */
  readonly directory: string;
  /** The `ID` argument as it was typed; it may be a part of an id. */
  readonly id?: string;
  /** `--task`: the id of a task, or a part of one. */
  readonly task?: string;
  /** `--status`: only tasks of these statuses. */
  readonly statuses?: readonly TaskStatus[];
  /** `--events`: the number of events to show. */
  readonly events?: number;
  /** `-n`: the number of lines to print. */
  readonly lines?: number;
  /** `--all`: ended tasks are not hidden. */
  readonly isAll: boolean;
  /** `--follow`: print new events until an interrupt. */
  readonly isFollowing: boolean;
  /** `--json`: print JSON. */
  readonly isJson: boolean;
}

/** One subcommand of `errand`. */
export interface Command {
  /** The first argument that selects this command. */
  readonly name: string;
  /** The required arguments, in this order. */
  readonly needs: readonly ("DIR" | "ID")[];
  /** The options that this command accepts; each command accepts `--help`. */
  readonly takes: readonly OptionName[];
  /** The text that `--help` prints. */
  readonly help: string;
  /**
   * Does the work and resolves with the exit code. Rejects with a `CommandError` when the task or the journal is not
   * there.
   */
  run(args: CommandArguments, terminal: Terminal): Promise<ExitCode>;
}

/** The command cannot do what the caller asked for. The message is for people and says what to do next. */
export class CommandError extends Error {
  /** The exit code of the process after this error. */
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.name = "CommandError";
    this.exitCode = exitCode;
  }
}
