/** Who may do what, and by which secret: principals, API keys, credentials, connections. */
import { z } from "@hono/zod-openapi";
import type { ClusterId } from "@millrace/core";
import { labelCharactersMax } from "../limits.ts";
import { type PrincipalKind, principalKinds, type Role, roles } from "../principal.ts";
import { clusterIdSchema } from "./cluster.ts";
import { timestampSchema } from "./common.ts";

export interface WhoAmI {
  readonly kind: PrincipalKind;
  readonly id: string;
  readonly role: Role;
}

const roleSchema = z
  .enum(roles)
  .openapi("Role", { description: "Each may do what the ones before it may." });

export const whoAmISchema: z.ZodType<WhoAmI> = z
  .object({ kind: z.enum(principalKinds), id: z.string(), role: roleSchema })
  .openapi("Principal");

const labelSchema = z
  .string()
  .min(1)
  .max(labelCharactersMax)
  .regex(/^[A-Za-z0-9._-]+$/)
  .openapi({ description: "For people. Several may have one name.", example: "billing" });

export interface NamedRequest {
  readonly name: string;
}

export const createCredentialSchema: z.ZodType<NamedRequest> = z
  .strictObject({ name: labelSchema })
  .openapi("CreateCredential");

export interface Credential {
  readonly id: string;
  readonly name: string;
  readonly username: string;
  readonly createdAt: string;
}

export interface CreatedCredential extends Credential {
  readonly secret: string;
}

const credentialShape = {
  id: z.string().openapi({ example: "cr_01k2m3n4p5q6r7s8" }),
  name: z.string(),
  username: z.string().openapi({ example: "mk-01k2m3n4p5q6r7s8" }),
  createdAt: timestampSchema,
} as const;

export const credentialSchema: z.ZodType<Credential> = z
  .object(credentialShape)
  .openapi("Credential", { description: "What a Kafka client logs in with." });

export const createdCredentialSchema: z.ZodType<CreatedCredential> = z
  .object({
    ...credentialShape,
    secret: z.string().openapi({ description: "The password. It is shown here and nowhere else." }),
  })
  .openapi("CreatedCredential");

export const credentialParamsSchema: z.ZodObject<{
  clusterId: z.ZodType<ClusterId, string>;
  credentialId: z.ZodString;
}> = z.object({
  clusterId: clusterIdSchema(),
  credentialId: z
    .string()
    .regex(/^cr_[0-9a-hjkmnp-tv-z]{16}$/)
    .openapi({ param: { name: "credentialId", in: "path" }, example: "cr_01k2m3n4p5q6r7s8" }),
});

export interface CreateApiKey {
  readonly name: string;
  readonly role: Role;
}

export const createApiKeySchema: z.ZodType<CreateApiKey> = z
  .strictObject({ name: labelSchema, role: roleSchema })
  .openapi("CreateApiKey");

export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly createdAt: string;
}

export interface CreatedApiKey extends ApiKey {
  readonly key: string;
}

const apiKeyShape = {
  id: z.string().openapi({ example: "key_01k2m3n4p5q6r7s8" }),
  name: z.string(),
  role: roleSchema,
  createdAt: timestampSchema,
} as const;

export const apiKeySchema: z.ZodType<ApiKey> = z.object(apiKeyShape).openapi("ApiKey");

export const createdApiKeySchema: z.ZodType<CreatedApiKey> = z
  .object({
    ...apiKeyShape,
    key: z.string().openapi({
      description: "`Authorization: Bearer {key}`. It is shown here and nowhere else.",
    }),
  })
  .openapi("CreatedApiKey");

export const apiKeyParamsSchema: z.ZodObject<{ apiKeyId: z.ZodString }> = z.object({
  apiKeyId: z
    .string()
    .regex(/^key_[0-9a-hjkmnp-tv-z]{16}$/)
    .openapi({ param: { name: "apiKeyId", in: "path" }, example: "key_01k2m3n4p5q6r7s8" }),
});

export interface Snippet {
  readonly client: string;
  readonly language: string;
  readonly text: string;
}

export interface Connection {
  readonly bootstrapServers: readonly string[];
  readonly securityProtocol: "PLAINTEXT" | "SSL" | "SASL_PLAINTEXT" | "SASL_SSL";
  readonly saslMechanisms: readonly string[];
  readonly caCertificate?: string | undefined;
  readonly snippets: readonly Snippet[];
}

export const connectionSchema: z.ZodType<Connection> = z
  .object({
    bootstrapServers: z.array(z.string()).openapi({ example: ["localhost:9092"] }),
    securityProtocol: z.enum(["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]),
    saslMechanisms: z.array(z.string()),
    caCertificate: z
      .string()
      .optional()
      .openapi({ description: "PEM: what the brokers' certificates are vouched for by." }),
    snippets: z.array(
      z
        .object({
          client: z.string().openapi({ example: "java" }),
          language: z.string().openapi({ example: "properties" }),
          text: z.string(),
        })
        .openapi("Snippet", {
          description:
            "Ready for the client, but for `MILLRACE_USERNAME` and `MILLRACE_PASSWORD`, which a credential gives.",
        }),
    ),
  })
  .openapi("Connection");
