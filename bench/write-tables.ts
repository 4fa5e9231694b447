// Write tables: brings the tables of README.md and bench/README.md up to the results files. `npm run bench:tables`
import { renewTables } from "./document-tables.js";
import { documented } from "./results.js";

renewTables(documented);
