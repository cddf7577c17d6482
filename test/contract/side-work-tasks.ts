import type { SideTasks } from "@millrace/core";

/** What both are given to do. `echo` gives back what it gets; `sum` adds up bytes. */
export const contractTasks: SideTasks = {
  echo: ({ bytes, told }) => ({ says: told, bytes }),
  sum: ({ bytes }) => {
    let sum = 0;
    for (const each of bytes) for (const byte of each) sum += byte;
    return { says: sum, bytes: [] };
  },
  overwrite: ({ bytes }) => {
    for (const each of bytes) each.fill(7);
    return { says: null, bytes: bytes.map((each) => each.subarray(1, 3)) };
  },
  fail: () => {
    throw new RangeError("as asked");
  },
  twice: ({ bytes: [first = new Uint8Array(0)] }) => ({ says: null, bytes: [first, first] }),
};
