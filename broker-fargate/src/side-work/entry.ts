/** Where threads of side work begin. `tools/bundle.ts` puts the text of `main.ts` in its place. */
export function sideWorkEntry(): { readonly kind: "file"; readonly url: URL } {
  return { kind: "file", url: new URL("./main.ts", import.meta.url) };
}
