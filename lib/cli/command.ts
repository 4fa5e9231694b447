// Command: what each command is made of, what it is asked, and how it says that it cannot do it.

import type { TaskStatus } from "errand";
import type { Terminal } from "./terminal.js";

/** 0: fine. 1: what was asked for is not so. 2: the command line is wrong. */
export type ExitCode = 0 | 1 | 2;

export type OptionName = "status" | "all" | "events" | "lines" | "follow" | "task" | "json" | "help";

/** A command line, understood. What was not given is absent. */
export interface Asked {
  readonly directory: string;
  /** As it was typed: maybe a part of an id. */
  readonly id?: string;
  readonly task?: string;
  readonly statuses?: readonly TaskStatus[];
  readonly events?: number;
  readonly lines?: number;
  readonly isAll: boolean;
  readonly isFollowing: boolean;
  readonly isJson: boolean;
}

export interface Command {
  readonly name: string;
  /** What must be given, in this order. */
  readonly needs: readonly ("DIR" | "ID")[];
  readonly takes: readonly OptionName[];
  readonly help: string;
  run(asked: Asked, terminal: Terminal): Promise<ExitCode>;
}

/** What was asked for cannot be given. The message is for people, and says what to do next. */
export class CommandError extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.name = "CommandError";
    this.exitCode = exitCode;
  }
}
