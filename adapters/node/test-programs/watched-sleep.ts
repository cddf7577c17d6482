/** Sleeps for half a second with its turns watched, and prints how many there were. */
import { watchTurns } from "../src/event-loop.ts";

let turns = 0;
watchTurns(() => {
  turns += 1;
});
setTimeout(() => process.stdout.write(`${turns}\n`), 500);
