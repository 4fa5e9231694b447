// Removes what a build makes, so that nothing of an older build is run or published.
import { rmSync } from "node:fs";

for (const made of ["dist", "build"]) {
  rmSync(new URL(`../${made}`, import.meta.url), { recursive: true, force: true });
}
