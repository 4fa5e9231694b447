// About: the texts about the command itself. They need no journal, so main.ts prints them without loading errand.

import { createRequire } from "node:module";

const HELP = `errand looks into the journal that a program keeps with fileStore(DIR), while
the program runs or after it ended. It takes no lock and changes nothing.

  errand ls DIR        the tasks as trees, with their status; the open questions
  errand show DIR ID   one task: its record, messages, questions, last events
  errand tail DIR      the last events; --follow goes on with those that come
  errand verify DIR    whether the journal is whole, and where not

  errand COMMAND --help   what else a command takes; each takes --json
  errand --version        the version of errand

Exit code: 0 fine, 1 what was asked for is not so (no such task, a broken
journal), 2 the command line is wrong.`;

/** The help or the version when the first argument asks for it; otherwise `undefined`. */
export function aboutText(argument: string): string | undefined {
  if (argument === "--help" || argument === "-h") return HELP;
  return argument === "--version" ? version() : undefined;
}

function version(): string {
  const manifest: unknown = createRequire(import.meta.url)("errand/package.json");
  const hasVersion = typeof manifest === "object" && manifest !== null && "version" in manifest;
  return hasVersion ? String(manifest.version) : "unknown";
}
