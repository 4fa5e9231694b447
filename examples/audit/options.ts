// The arguments of the command: what may be given, what is said of it, and what is refused.
//
// Everything that can be wrong with them is found here, before a task is started; each fault is an Error with a message for people.

import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { type Policy, readPolicy } from "./policy.js";
import type { Model } from "./summary.js";

export interface Options {
  readonly project: string;
  readonly policy: Policy | undefined;
  readonly flag: "--approve" | "--deny" | undefined;
  readonly concurrency: number;
  readonly store: string | undefined;
  readonly timeoutMs: number | undefined;
  readonly json: boolean;
  readonly model: Model | undefined;
}

export const HELP = `Audits the packages that are installed in a project: manifest, licence, size, code, and files against the lockfile.

  npm start -- [PATH] [options]      PATH defaults to the current folder

  --approve            say yes to everything that is asked and that no policy decides
  --deny               say no to it
  --policy FILE        rules that decide; default PATH/.audit-policy.json, if there is one
  --concurrency N      how many checks run at once (default 8)
  --store DIR          keep what is done there: stopped by force and started again, it audits only what was not finished
  --timeout SECONDS    stop after that long, with a partial report
  --json               print the report as JSON; progress goes to stderr
  --model NAME         let a model write a summary (key in OPENAI_API_KEY)
  --base-url URL       its OpenAI-compatible API (default https://api.openai.com/v1)
  --help               print this

An install script, an unknown or strong-copyleft licence, files other than those the lockfile names, or a manifest that names another
package than its folder (an npm alias does) or no valid version need a yes. Without a policy or a flag, the person at the keyboard is asked; where there is none, the answer is no. A policy names risks and packages, with reasons:

  { "approve": { "install-script esbuild@0.25.*": "read it" }, "deny": { "strong-copyleft *": "we ship closed source" } }

Exit code: 0 clean, 1 something failed, was denied or timed out, 2 bad options, 130 Ctrl-C.`;

/** Rejects with a message for people. */
export async function readOptions(args: string[]): Promise<Options | "help"> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      approve: { type: "boolean" },
      deny: { type: "boolean" },
      policy: { type: "string" },
      concurrency: { type: "string", default: "8" },
      store: { type: "string" },
      timeout: { type: "string" },
      json: { type: "boolean", default: false },
      model: { type: "string" },
      "base-url": { type: "string" },
      help: { type: "boolean" },
    },
  });
  if (values.help) return "help";
  if (positionals.length > 1) throw new Error(`One folder at a time: ${positionals.join(" ")}`);
  if (values.approve && values.deny) throw new Error("--approve and --deny exclude each other");
  if (values["base-url"] !== undefined && values.model === undefined)
    throw new Error("--base-url is of no use without --model");
  const concurrency = Number(values.concurrency);
  if (!Number.isInteger(concurrency) || concurrency < 1)
    throw new Error(`--concurrency must be a whole number from 1 on: ${values.concurrency}`);
  const timeoutMs = values.timeout === undefined ? undefined : Number(values.timeout) * 1000;
  if (timeoutMs !== undefined && !(timeoutMs > 0))
    throw new Error(`--timeout must be a number of seconds above 0: ${values.timeout}`);
  const baseUrl = values["base-url"] ?? "https://api.openai.com/v1";
  if (!URL.canParse(baseUrl)) throw new Error(`--base-url is no URL: ${baseUrl}`);

  const project = resolve(positionals[0] ?? ".");
  if (!(await isThere(join(project, "node_modules"))))
    throw new Error(`${project} has no node_modules: nothing is installed there`);
  const ownPolicy = join(project, ".audit-policy.json");
  const file = values.policy ?? ((await isThere(ownPolicy)) ? ownPolicy : undefined);
  const policy =
    file === undefined
      ? undefined
      : await readPolicy(file).catch((error: unknown) => {
          throw new Error(
            `The policy ${file} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
          );
        });
  const flag = values.approve ? "--approve" : values.deny ? "--deny" : undefined;
  const model =
    values.model === undefined ? undefined : { name: values.model, baseUrl, apiKey: process.env.OPENAI_API_KEY };
  const store = values.store === undefined ? undefined : resolve(values.store);
  return { project, policy, flag, concurrency, store, timeoutMs, json: values.json, model };
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
