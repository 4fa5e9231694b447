// The long proof of the core, with a budget: npm run prove -- --minutes 30
//
// Half of it for random programs against the reference model, half for every scenario disturbed at every step.
// What fails prints how to play it again alone. The soak is a bench: npm run bench -- soak.
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const usage = `npm run prove -- [--minutes N] [--seed N]

  --minutes N   how long to search; default 5. The sweep plays each single disturbance, whatever it takes
  --seed N      of the random programs; default a fresh one, printed
`;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!(minutes > 0) || !Number.isSafeInteger(seed)) {
  process.stderr.write(`--minutes must be a number > 0 and --seed a whole number\n\n${usage}`);
  process.exit(2);
}

console.log(`proving for ${minutes} min, seed ${seed}: npm run prove -- --minutes ${minutes} --seed ${seed}`);
const env = { ...process.env, PROVE_MS: String(Math.round(minutes * 30_000)), PROVE_SEED: String(seed) };
const { status, error } = spawnSync("npx", ["vitest", "run", "test/invariants"], { stdio: "inherit", env });
if (error !== undefined) console.error(`vitest could not be started: ${error.message}`);
process.exit(status ?? 1);
