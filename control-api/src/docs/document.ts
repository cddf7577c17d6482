/** What the API's document (OpenAPI 3.1) says beside the routes. */
import type { App } from "../app-type.ts";
import { type Problem, problemsPath } from "../problems.ts";

type OpenApiInfo = Parameters<App["getOpenAPI31Document"]>[0];

const errorFields: keyof Problem = "errors";

export const openApiInfo: OpenApiInfo = {
  openapi: "3.1.0",
  info: {
    title: "Millrace control plane",
    version: "1",
    description: [
      "Clusters of Millrace, and what is in them: topics, groups, credentials and how clients connect.",
      `Whatever is no success is a problem (RFC 9457, \`application/problem+json\`); its \`type\` is explained at ${problemsPath}, and \`${errorFields}\` names what was wrong in the request.`,
      "Lists come in pages: `limit` and `cursor` in, `items` and `nextCursor` out.",
      "What makes something takes an `Idempotency-Key`: a repeat gets the first one's answer.",
    ].join("\n\n"),
    license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
  },
  servers: [{ url: "/" }],
  tags: [
    { name: "Clusters", description: "Millrace clusters of this deployment." },
    { name: "Operations", description: "Long work on clusters, and how far it is." },
    { name: "Topics", description: "Topics of a cluster, their configs and partitions." },
    { name: "Groups", description: "Consumer groups and their lag." },
    { name: "Credentials", description: "What Kafka clients log in with, and how they connect." },
    { name: "Access", description: "Who may use this API." },
  ],
};
