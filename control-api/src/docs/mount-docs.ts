import type { App } from "../app-type.ts";
import { problemsPath } from "../problems.ts";
import { openApiInfo } from "./document.ts";
import { docsPage, problemsPage, styleHash } from "./pages.ts";

/**
 * `GET /docs`: the API's document as a page, and `GET /docs/problems`: what each problem means. Both are
 * made here, of the document that /openapi.json serves: one answer, no script, nothing from elsewhere,
 * which the policy in its header makes browsers hold it to.
 */
export function mountDocs(app: App): void {
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-cache",
    "content-security-policy": `default-src 'none'; style-src '${styleHash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    "referrer-policy": "no-referrer",
  };
  let page: string | undefined;
  app.get("/docs", (context) => {
    page ??= docsPage(app.getOpenAPI31Document(openApiInfo));
    return context.body(page, 200, headers);
  });
  app.get(problemsPath, (context) => context.body(problemsPage(), 200, headers));
}
