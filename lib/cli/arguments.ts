// Arguments: reads the arguments of one command, or throws a message that shows the right form.

import { parseArgs } from "node:util";
import type { TaskStatus } from "errand";
import { type Command, type CommandArguments, CommandError, type OptionName } from "./command.js";
import { isStatus, STATUSES } from "./status.js";

const OPTIONS = {
  status: { type: "string", multiple: true },
  all: { type: "boolean" },
  events: { type: "string" },
  lines: { type: "string", short: "n" },
  follow: { type: "boolean", short: "f" },
  task: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

const SPELLED: { readonly [K in OptionName]: string } = {
  status: "--status S",
  all: "--all",
  events: "--events N",
  lines: "-n N",
  follow: "--follow",
  task: "--task ID",
  json: "--json",
  help: "--help",
};

type Fault = (what: string) => CommandError;

/**
 * Returns the arguments of `command`, or `"help"` when `--help` is among them. Throws a `CommandError` with exit code 2
 * that shows the usage.
 */
export function readArguments(command: Command, args: readonly string[]): CommandArguments | "help" {
  const options = [...command.takes.map((name) => SPELLED[name]), SPELLED.help];
  const usage = `errand ${[command.name, ...command.needs, ...options.map((option) => `[${option}]`)].join(" ")}`;
  const fault: Fault = (what) => new CommandError(2, `${what} The way is: ${usage}`);

  const noOption = (option: string): string => `errand ${command.name} has no option ${option}.`;
  const { values, positionals, tokens } = parsed(args, fault, noOption);
  if (values.help === true) return "help";
  for (const token of tokens) {
    if (token.kind !== "option" || command.takes.some((name) => name === token.name)) continue;
    throw fault(noOption(token.rawName));
  }
  const [directory, id, ...rest] = positionals;
  if (directory === undefined || directory.trim() === "") throw fault("The directory of the journal, DIR, is missing.");
  const beyond = command.needs.includes("ID") ? rest : positionals.slice(1);
  if (beyond.length > 0) throw fault(`${beyond.join(" ")} is too much.`);
  if (command.needs.includes("ID") && (id === undefined || id === "")) throw fault("The ID of a task is missing.");

  return {
    directory,
    ...(id === undefined ? {} : { id }),
    ...(values.task === undefined ? {} : { task: values.task }),
    ...(values.status === undefined ? {} : { statuses: toStatuses(values.status, fault) }),
    ...(values.events === undefined ? {} : { events: toCount("--events", values.events, fault) }),
    ...(values.lines === undefined ? {} : { lines: toCount("-n", values.lines, fault) }),
    isAll: values.all === true,
    isFollowing: values.follow === true,
    isJson: values.json === true,
  };
}

function parsed(args: readonly string[], fault: Fault, noOption: (option: string) => string): ReturnType<typeof parse> {
  try {
    return parse(args);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const unknown = /^Unknown option '(.+?)'/u.exec(message)?.[1];
    if (unknown !== undefined) throw fault(noOption(unknown));
    // The remaining text of this message is general advice of Node, which does not fit this command.
    const [what = message] = message.replace("argument is ambiguous", "needs an argument").split(/\.?\n|\. /u);
    throw fault(`${what.replace(/\.$/u, "")}.`);
  }
}

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true, tokens: true });
}

/** Accepts both forms: `--status failed --status cancelled` and `--status failed,cancelled`. */
function toStatuses(given: readonly string[], fault: Fault): readonly TaskStatus[] {
  return given
    .flatMap((list) => list.split(","))
    .map((word) => {
      if (isStatus(word)) return word;
      throw fault(`There is no status "${word}": it is one of ${STATUSES.join(", ")}.`);
    });
}

function toCount(option: string, given: string, fault: Fault): number {
  const count = Number(given);
  if (/^\d+$/u.test(given) && Number.isSafeInteger(count)) return count;
  throw fault(`${option} takes a whole number from 0 on, not "${given}".`);
}
