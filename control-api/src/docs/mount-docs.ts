import type { App } from "../app-type.ts";
import { problemsPath } from "../problems.ts";
import { openApiInfo } from "./document.ts";
import { docsPage, problemsPage, scriptHash, styleHash } from "./pages.ts";

/**
 * `GET /openapi.json`: the API's document. `GET /docs`: the same as a page. `GET /docs/problems`: what
 * each problem means. The pages have nothing from elsewhere, and the first of them one script, which
 * asks nobody but this server: the policy in the header makes browsers hold them to it. All three
 * take no login, and each is made once: the document alone takes 20 ms.
 */
export function mountDocs(app: App): void {
  let document: string | undefined;
  app.get("/openapi.json", (context) => {
    document ??= JSON.stringify(app.getOpenAPI31Document(openApiInfo));
    return context.body(document, 200, { "content-type": "application/json" });
  });
  let page: string | undefined;
  app.get("/docs", (context) => {
    page ??= docsPage(app.getOpenAPI31Document(openApiInfo));
    return context.body(page, 200, headersOf(asking));
  });
  let problems: string | undefined;
  app.get(problemsPath, (context) => {
    problems ??= problemsPage();
    return context.body(problems, 200, headersOf(""));
  });
}

const asking = `script-src '${scriptHash}'; connect-src 'self'; `;

/** `more` than nothing is what the page's policy allows beside its style. */
function headersOf(more: string): Readonly<Record<string, string>> {
  return {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-cache",
    "content-security-policy": `default-src 'none'; style-src '${styleHash}'; ${more}base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    "referrer-policy": "no-referrer",
  };
}
