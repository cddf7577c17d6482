/**
 * One entry of a JAAS configuration, as Kafka's `sasl.jaas.config` has it:
 * `a.b.LoginModule required key="value" other=value;`
 */
export type JaasEntry =
  | {
      readonly ok: true;
      readonly loginModule: string;
      readonly options: ReadonlyMap<string, string>;
    }
  | { readonly ok: false };

const token = /\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"=;]+)|([=;]))/uy;

export function readJaas(text: string): JaasEntry {
  const words = wordsOf(text.trim());
  if (words === undefined || words.length < 3 || words.at(-1) !== ";") return { ok: false };
  const [loginModule = "", flag = ""] = words;
  if (!/^(?:required|requisite|sufficient|optional)$/iu.test(flag)) return { ok: false };
  const options = new Map<string, string>();
  const pairs = words.slice(2, -1);
  if (pairs.length % 3 !== 0) return { ok: false };
  for (let at = 0; at < pairs.length; at += 3) {
    const [name = "", equals, value = ""] = pairs.slice(at, at + 3);
    if (equals !== "=") return { ok: false };
    options.set(name, value);
  }
  return { ok: true, loginModule, options };
}

/** `undefined`: there is something that is no word. */
function wordsOf(text: string): readonly string[] | undefined {
  const words: string[] = [];
  token.lastIndex = 0;
  while (token.lastIndex < text.length) {
    const match = token.exec(text);
    if (match === null) return undefined;
    const [, quoted, bare, sign] = match;
    words.push(quoted === undefined ? (bare ?? sign ?? "") : quoted.replaceAll(/\\(.)/gu, "$1"));
  }
  return words;
}
