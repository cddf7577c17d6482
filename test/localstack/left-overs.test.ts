import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { DynamoDb } from "./dynamodb.ts";
import { inBucket } from "./left-overs.ts";

let server: Server | undefined;

afterEach(async () => {
  await new Promise((resolve) => server?.close(resolve));
});

/** What answers a request by its path, or by its body where it has one. */
async function answering(
  answer: (asked: string) => { readonly status: number; readonly text: string },
): Promise<string> {
  const made = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { status, text } = answer(Buffer.concat(chunks).toString() || (request.url ?? ""));
      response.writeHead(status, { connection: "close" }).end(text);
    });
  });
  server = made;
  await new Promise<void>((resolve) => made.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(made.address() as AddressInfo).port}`;
}

const nothing = (asked: string): { readonly status: number; readonly text: string } => ({
  status: 200,
  text: asked.endsWith("?uploads")
    ? "<ListMultipartUploadsResult/>"
    : "<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>",
});

it("finds nothing in an empty bucket", async () => {
  expect(await inBucket(await answering(nothing), "b")).toEqual([]);
});

it("finds objects, and uploads that nobody ended", async () => {
  const endpoint = await answering((asked) => {
    const found = asked.endsWith("?uploads")
      ? "<ListMultipartUploadsResult><Upload><Key>two</Key></Upload></ListMultipartUploadsResult>"
      : "<ListBucketResult><Contents><Key>one</Key></Contents></ListBucketResult>";
    return { status: 200, text: found };
  });
  expect(await inBucket(endpoint, "b")).toEqual(["object one", "upload two"]);
});

it.each(["list-type=2", "uploads"])("takes a refused %s for no listing", async (query) => {
  const refusal = { status: 403, text: "<Error><Code>AccessDenied</Code></Error>" };
  const endpoint = await answering((asked) => (asked.endsWith(query) ? refusal : nothing(asked)));
  await expect(inBucket(endpoint, "b")).rejects.toThrow(`b?${query}: 403`);
});

it("takes an answer that lists nothing of the kind for no listing", async () => {
  const endpoint = await answering(() => ({ status: 200, text: "<html>welcome</html>" }));
  await expect(inBucket(endpoint, "b")).rejects.toThrow("welcome");
});

it("lists the tables of every page", async () => {
  const endpoint = await answering((asked) => {
    const { ExclusiveStartTableName: after } = JSON.parse(asked) as Record<string, string>;
    const page = after === "a" ? { TableNames: ["b"] } : { TableNames: ["a"], ...more };
    return { status: 200, text: JSON.stringify(page) };
  });
  const more = { LastEvaluatedTableName: "a" };
  expect(await new DynamoDb(endpoint).tableNames()).toEqual(["a", "b"]);
});
