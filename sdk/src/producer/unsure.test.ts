/** Outcomes that nobody knows: no number is given twice, and no producer id is taken up again. */
import { expect, test } from "vitest";
import type { ProduceFault } from "../../test/memory-cluster.ts";
import { linesOf, until } from "../../test/memory-client.ts";

test.for<[ProduceFault, string]>([
  ["garbled after", "INVALID_RESPONSE"],
  ["failed after", "UNKNOWN_SERVER_ERROR"],
])("the numbers of a batch whose outcome is '%s' are not given to the next", async (faulty) => {
  const [fault, code] = faulty;
  const { cluster, client, lines } = linesOf();
  await lines.send({ value: "first" });
  cluster.produceFault = () => fault;
  await expect(lines.send({ value: "a" })).rejects.toMatchObject({ code });
  cluster.produceFault = () => "none";
  expect(await lines.send({ value: "b" })).toMatchObject({ offset: 2 });
  expect(cluster.values("lines")).toEqual(["first", "a", "b"]);
  await client.close();
});

test("a partition that has lost a producer id never gets it again, however late another comes", async () => {
  const { cluster, client, lines } = linesOf(2);
  const send = (value: string, partition: number) => lines.send({ value, partition });
  const forgotten = new Set<number>();
  cluster.produceFault = ({ batches }) =>
    forgotten.delete(batches[0]?.partition ?? -1) ? { code: "UNKNOWN_PRODUCER_ID" } : "none";
  await send("a", 0);
  await send("b", 1);
  // The first partition waits for its new id, while the second gets one at once.
  const late = Promise.withResolvers<void>();
  cluster.identityGate = late.promise;
  forgotten.add(0);
  const slow = send("aa", 0);
  await until("its loss", () => forgotten.size === 0);
  await new Promise((next) => setTimeout(next, 20));
  cluster.identityGate = Promise.resolve();
  forgotten.add(1);
  await send("bb", 1);
  late.resolve();
  await slow;
  forgotten.add(1);
  await send("bbb", 1);
  expect(cluster.values("lines", 0)).toEqual(["a", "aa"]);
  expect(cluster.values("lines", 1)).toEqual(["b", "bb", "bbb"]);
  await client.close();
});
