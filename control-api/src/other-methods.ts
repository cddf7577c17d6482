import type { App } from "./app-type.ts";
import { ProblemError } from "./problems.ts";

/** After all routes: a path that there is answers another method by 405, with what it takes. */
export function refuseOtherMethods(app: App): void {
  const methods = new Map<string, Set<string>>();
  for (const { method, path } of app.routes) {
    if (method === "ALL") continue;
    const known = methods.get(path) ?? new Set();
    methods.set(path, known.add(method));
    if (method === "GET") known.add("HEAD");
  }
  for (const [path, known] of methods) {
    const allow = [...known].sort().join(", ");
    app.all(path, (context) => {
      const detail = `${context.req.method} is not supported here`;
      throw new ProblemError("method-not-allowed", detail, { headers: { allow } });
    });
  }
}
