/** The API's document as one page of HTML, and the page of problems. Pure text. */
import { problemKinds } from "../problems.ts";
import { script } from "./script.ts";
import { style } from "./style.ts";

/** Of `style`: the only one that the pages' policy lets browsers use. */
export const styleHash = "sha256-oPcmFWovAkggKmPac/gzOitmBOFtIXk8KqSyCbwmPHE=";

/** Of `script`: the only one, and of the API's page alone. */
export const scriptHash = "sha256-3X5TGcotMnx1chcL5T9c7yeI2Mzy82yorr34kufE5C0=";

/** As much of OpenAPI 3.1 as the page shows. */
interface Document {
  readonly info: {
    readonly title: string;
    readonly version: string;
    readonly description?: string;
  };
  readonly tags?: readonly { readonly name: string; readonly description?: string }[];
  readonly paths?: object;
  readonly components?: { readonly schemas?: object };
}

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly "x-millrace-role"?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content?: Content };
  readonly responses?: Readonly<
    Record<string, { readonly description?: string; readonly content?: Content }>
  >;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
}

type Content = Readonly<Record<string, { readonly schema?: Schema }>>;

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly example?: unknown;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly allOf?: readonly Schema[];
}

const methods = ["get", "post", "patch", "put", "delete"] as const;

export function docsPage(document: Document): string {
  const { components, info, paths = {}, tags = [] } = document;
  const schemas = (components?.schemas ?? {}) as Readonly<Record<string, Schema>>;
  const sections = tags.map(({ description = "", name }) => {
    const operations = operationsOf(paths, name);
    return `<h2 id="${text(name)}">${text(name)}</h2><p>${text(description)}</p>${operations}`;
  });
  const shapes = Object.entries(schemas)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, schema]) => `<h3 id="schema-${text(name)}">${text(name)}</h3>${shape(schema)}`);
  const links = tags.map(({ name }) => `<a href="#${text(name)}">${text(name)}</a>`).join("");
  return page(
    info.title,
    `<h1>${text(info.title)}</h1><nav>${links}<a href="#schemas">Schemas</a>` +
      '<a href="/docs/problems">Problems</a><a href="/openapi.json">openapi.json</a></nav>' +
      paragraphs(info.description ?? "") +
      '<p><label>API key, for what you try here <input id="key" type="password" autocomplete="off">' +
      "</label> <small>It goes to this server only, and is kept nowhere.</small></p>" +
      `${sections.join("")}<h2 id="schemas">Schemas</h2>${shapes.join("")}` +
      `<script>${script}</script>`,
  );
}

/** Each kind at its own anchor, which is what a problem's `type` points to. */
export function problemsPage(): string {
  const kinds = Object.entries(problemKinds).map(
    ([kind, { means, status, title }]) =>
      `<h2 id="${text(kind)}">${text(kind)}</h2><p><b>${status}</b>${text(title)}</p>${paragraphs(means)}`,
  );
  return page("Problems", `<h1>Problems</h1><p><a href="/docs">The API</a></p>${kinds.join("")}`);
}

function operationsOf(paths: object, tag: string): string {
  const parts: string[] = [];
  for (const [path, item] of Object.entries(paths)) {
    for (const method of methods) {
      const operation = (item as Readonly<Record<string, Operation | undefined>>)[method];
      if (operation?.tags?.includes(tag) === true) parts.push(shown(method, path, operation));
    }
  }
  return parts.join("");
}

function shown(method: string, path: string, operation: Operation): string {
  const {
    description = "",
    operationId = "",
    parameters = [],
    requestBody,
    summary = "",
  } = operation;
  const role = operation["x-millrace-role"];
  const asked = parameters.map(({ description: says = "", in: place, name, required, schema }) =>
    row(
      `${name}${required === true ? " *" : ""}`,
      `${place}, ${typeOf(schema)}`,
      says || schema?.description,
    ),
  );
  const sent = Object.entries(requestBody?.content ?? {}).map(([type, { schema }]) =>
    row("body *", type, undefined, typeOf(schema)),
  );
  const answers = Object.entries(operation.responses ?? {}).map(([status, answer]) => {
    const schema = Object.values(answer.content ?? {})[0]?.schema;
    return row(status, "", answer.description, schema === undefined ? "" : typeOf(schema));
  });
  return (
    `<details id="${text(operationId)}"><summary><b class="${method}">${method.toUpperCase()}</b>` +
    `<code>${text(path)}</code> ${text(summary)}</summary>${paragraphs(description)}` +
    (role === undefined ? "" : `<p><small>Least role: ${text(role)}</small></p>`) +
    `<pre>${text(curlOf(method, path, operation))}</pre>` +
    `<table>${[...asked, ...sent].join("")}</table><h4>Answers</h4><table>${answers.join("")}</table>` +
    `${method === "get" ? tryForm(path, parameters) : ""}</details>`
  );
}

/** Of what only reads: nobody changes a cluster by a click on a page. */
function tryForm(path: string, parameters: readonly Parameter[]): string {
  const fields = parameters
    .filter(({ in: place }) => place === "path" || place === "query")
    .map(({ in: place, name, required }) => {
      const must = required === true ? " required" : "";
      return `<label>${text(name)} <input name="${text(name)}" data-in="${text(place)}"${must}></label> `;
    });
  return `<form data-path="${text(path)}">${fields.join("")}<button>Try it</button><pre hidden></pre></form>`;
}

function curlOf(method: string, path: string, { requestBody }: Operation): string {
  const url = `"$MILLRACE_URL${path.replaceAll("{", "$").replaceAll("}", "")}"`;
  const login = '-H "authorization: Bearer $MILLRACE_API_KEY"';
  const verb = method === "get" ? "" : ` -X ${method.toUpperCase()}`;
  const sent =
    requestBody === undefined ? "" : " -H 'content-type: application/json' -d @body.json";
  return `curl${verb} ${url} ${login}${sent}`;
}

function row(name: string, kind: string, says: string | undefined, type = ""): string {
  const cells = [`<code>${text(name)}</code>`, text(kind), `${paragraph(says ?? "")} ${type}`];
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
}

function shape(schema: Schema): string {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([name, property]) =>
    row(`${name}${required.has(name) ? " *" : ""}`, "", property.description, typeOf(property)),
  );
  const says = paragraphs(schema.description ?? "");
  return rows.length === 0
    ? `${says}<p>${typeOf(schema)}</p>`
    : `${says}<table>${rows.join("")}</table>`;
}

/** As HTML, with links to the schemas. */
function typeOf(schema: Schema | undefined): string {
  if (schema === undefined) return "";
  const { $ref } = schema;
  if ($ref !== undefined) {
    const name = text($ref.slice($ref.lastIndexOf("/") + 1));
    return `<a href="#schema-${name}">${name}</a>`;
  }
  const [only] = schema.allOf ?? [];
  if (only !== undefined) return typeOf(only);
  if (schema.items !== undefined) return `array of ${typeOf(schema.items)}`;
  if (schema.enum !== undefined) return text(schema.enum.map((value) => String(value)).join(" | "));
  const type = [schema.type ?? "object"].flat().join(" or ");
  const fallback =
    schema.default === undefined ? "" : `, default ${JSON.stringify(schema.default)}`;
  return text(`${type}${fallback}`);
}

function page(title: string, content: string): string {
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${text(title)}</title>` +
    `<meta name="viewport" content="width=device-width"><style>${style}</style></head>` +
    `<body>${content}</body></html>`
  );
}

function paragraphs(markdown: string): string {
  if (markdown === "") return "";
  return markdown
    .split("\n\n")
    .map((part) => `<p>${paragraph(part)}</p>`)
    .join("");
}

/** Of Markdown, code alone. */
function paragraph(markdown: string): string {
  return text(markdown).replaceAll(/`([^`]*)`/gu, "<code>$1</code>");
}

function text(plain: string): string {
  return plain
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
