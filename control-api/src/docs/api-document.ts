import type { App, ControlDependencies } from "../app-type.ts";
import { controlApp } from "../app.ts";
import { openApiInfo } from "./document.ts";

/** The API's document, made of its routes. No port is asked. */
export function apiDocument(): ReturnType<App["getOpenAPI31Document"]> {
  // The document depends on no port: whatever is asked of one would be a defect.
  const asked = (): never => {
    throw new Error("the document needs no port");
  };
  const none = new Proxy({}, { get: () => asked });
  return controlApp(none as ControlDependencies).getOpenAPI31Document(openApiInfo);
}
