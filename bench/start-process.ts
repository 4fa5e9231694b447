// Start process: one import, or one first task, in the process that this is, for start.ts. Prints its cost as JSON.
//
// It imports nothing that it does not measure. Not a program to run by hand: node build/bench/start-process.js task errand

const [way, library] = process.argv.slice(2);
const job = async (): Promise<number> => 1;

/** The value of the job, of a task that a manager runs, or of a job that a queue runs. */
async function firstTask(): Promise<number> {
  if (library === "errand") {
    const { TaskManager } = await import("errand");
    return new TaskManager().spawn(job).result();
  }
  const { default: PQueue } = await import("p-queue");
  return new PQueue().add(job);
}

const cpuBefore = process.cpuUsage();
const wallBefore = performance.now();
if (way === "import") {
  const loaded: object = library === "errand" ? await import("errand") : await import("p-queue");
  if (Object.keys(loaded).length === 0) throw new Error(`${library} exports nothing`);
} else if (way === "task") {
  if ((await firstTask()) !== 1) throw new Error("the first task was not done");
} else if (way !== "nothing") throw new RangeError("start.js runs this");
const wallAfter = performance.now();
const cpuAfter = process.cpuUsage();

// Both clocks begin at the start of the process.
const isInside = way === "import";
const cpuUs = cpuAfter.user + cpuAfter.system - (isInside ? cpuBefore.user + cpuBefore.system : 0);
process.stdout.write(JSON.stringify({ cpuMs: cpuUs / 1_000, wallMs: wallAfter - (isInside ? wallBefore : 0) }));
