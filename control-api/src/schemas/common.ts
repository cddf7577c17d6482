/** Parts that several schemas share. Types stand beside their schemas, which are checked against them. */
import { z } from "@hono/zod-openapi";
import { cursorCharactersMax, pageItemsDefault, pageItemsMax } from "../limits.ts";
import type { Problem } from "../problems.ts";
import { idempotencyKeyCharactersMax, idempotencyKeyCharactersMin } from "../limits.ts";

export const pageQuerySchema: z.ZodObject<{
  limit: z.ZodType<number, string | undefined>;
  cursor: z.ZodOptional<z.ZodString>;
}> = z.object({
  limit: z
    .string()
    .regex(/^[1-9][0-9]{0,3}$/)
    .optional()
    .transform((text) => (text === undefined ? pageItemsDefault : Number(text)))
    .refine((limit) => limit <= pageItemsMax, `a page has at most ${pageItemsMax} items`)
    .openapi({
      type: "integer",
      ...{ minimum: 1, maximum: pageItemsMax, default: pageItemsDefault },
      description: "The most items of the page. It may have fewer, though more follow.",
    }),
  cursor: z
    .string()
    .min(1)
    .max(cursorCharactersMax)
    .optional()
    .openapi({ description: "`nextCursor` of the page before. Absent: the first page." }),
});

/** A page of a list: `nextCursor` is absent on the last one. */
export interface PageOfItems<Item> {
  readonly items: readonly Item[];
  readonly nextCursor?: string | undefined;
}

export function pageSchema<Item>(
  name: string,
  item: z.ZodType<Item>,
): z.ZodType<PageOfItems<Item>> {
  return z
    .object({
      items: z.array(item).max(pageItemsMax),
      nextCursor: z
        .string()
        .optional()
        .openapi({ description: "`cursor` of the next page; absent on the last one." }),
    })
    .openapi(name);
}

export const problemSchema: z.ZodType<Problem> = z
  .object({
    type: z.string().openapi({ format: "uri-reference", example: "/docs/problems#not-found" }),
    title: z.string(),
    status: z.number().int().min(400).max(599),
    detail: z.string(),
    instance: z.string().openapi({ format: "uri-reference" }),
    requestId: z.string(),
    code: z.string().optional().openapi({ description: "Kafka's name of the error." }),
    errors: z
      .array(
        z.object({
          pointer: z.string().openapi({
            description: "A JSON Pointer into the body, or `query/…`, `header/…`.",
          }),
          detail: z.string(),
        }),
      )
      .optional(),
  })
  .openapi("Problem", { description: "Problem details (RFC 9457)." });

export const timestampSchema: z.ZodType<string> = z
  .string()
  .openapi({ format: "date-time", example: "2026-01-31T12:00:00.000Z" });

/** The header of a request that makes something. */
export const idempotencyHeaderSchema: z.ZodObject<{
  "idempotency-key": z.ZodOptional<z.ZodString>;
}> = z.object({
  "idempotency-key": z.string().regex(idempotencyKeyPattern()).optional().openapi({
    description:
      "A text that nobody can guess, such as a UUID. For 24 hours a repeat with the same key and the same body gets the same answer, and nothing is made twice.",
    example: '"5f2b1f9e-6a0c-4d7a-9f53-0c8d1f2f9a01"',
  }),
});

export const ifMatchHeaderSchema: z.ZodObject<{ "if-match": z.ZodOptional<z.ZodString> }> =
  z.object({
    "if-match": z
      .string()
      .regex(/^"v[0-9]{1,15}"$/)
      .optional()
      .openapi({
        description: "The `ETag` that the caller has read: 412 where it has changed since.",
        example: '"v3"',
      }),
  });

/** The version in an entity tag that the API gave out. */
export function versionOfTag(tag: string | undefined): number | undefined {
  return tag === undefined ? undefined : Number(tag.slice(2, -1));
}

export function tagOfVersion(version: number): string {
  return `"v${version}"`;
}

/** With its quotes (a structured field's string) or without. */
function idempotencyKeyPattern(): RegExp {
  const length = `{${idempotencyKeyCharactersMin},${idempotencyKeyCharactersMax}}`;
  return new RegExp(`^(?:"[!#-\\[\\]-~]${length}"|[!#-\\[\\]-~]${length})$`);
}
