/**
 * The interface that validators share (https://standardschema.dev, version 1), as far as the SDK
 * uses it. The specification asks for its types to be copied, so that nothing is installed for it.
 */

/**
 * One thing that is wrong with a value.
 *
 * @example
 * ```ts
 * import { type StandardIssue, ValidationError } from "@millrace/sdk";
 *
 * const show = ({ message, path = [] }: StandardIssue): string => `${path.join(".")}: ${message}`;
 * export const explain = (error: ValidationError): readonly string[] => error.issues.map(show);
 * ```
 */
export interface StandardIssue {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

/**
 * What a validator answers: a value, or what is wrong.
 *
 * @example
 * ```ts
 * import { type StandardResult } from "@millrace/sdk";
 *
 * export const isValid = (result: StandardResult<unknown>): boolean => result.issues === undefined;
 * ```
 */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/**
 * A validator of any library that implements Standard Schema: zod, valibot, arktype and others.
 *
 * @example
 * ```ts
 * import type { StandardSchema } from "@millrace/sdk";
 *
 * const positive: StandardSchema<number> = {
 *   "~standard": {
 *     version: 1,
 *     vendor: "example",
 *     validate: (value) =>
 *       typeof value === "number" && value > 0
 *         ? { value }
 *         : { issues: [{ message: "not a positive number" }] },
 *   },
 * };
 * console.log(positive["~standard"].validate(1));
 * ```
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/**
 * What a schema takes.
 *
 * @example
 * ```ts
 * import { type SchemaInput } from "@millrace/sdk";
 * import { z } from "zod";
 *
 * const order = z.object({ total: z.number(), paid: z.boolean().default(false) });
 * const given: SchemaInput<typeof order> = { total: 12 };
 * console.log(given);
 * ```
 */
export type SchemaInput<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>["input"];

/**
 * What a schema gives.
 *
 * @example
 * ```ts
 * import { type SchemaOutput } from "@millrace/sdk";
 * import { z } from "zod";
 *
 * const order = z.object({ total: z.number(), paid: z.boolean().default(false) });
 * const read: SchemaOutput<typeof order> = { total: 12, paid: false };
 * console.log(read);
 * ```
 */
export type SchemaOutput<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>["output"];
