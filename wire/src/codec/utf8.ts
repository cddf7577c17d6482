/**
 * TextDecoder and TextEncoder of the WHATWG Encoding standard. Every runtime has them; the types of the language alone,
 * which are all that this package is checked against, do not name them.
 */
interface Utf8Decoder {
  /** Throws TypeError if `bytes` are not UTF-8. */
  decode(bytes: Uint8Array): string;
}

interface Utf8Encoder {
  encode(text: string): Uint8Array;
  encodeInto(text: string, into: Uint8Array): { readonly read: number; readonly written: number };
}

const runtime = globalThis as unknown as {
  readonly TextDecoder: new (
    label: "utf-8",
    options: { readonly fatal: boolean; readonly ignoreBOM: true },
  ) => Utf8Decoder;
  readonly TextEncoder: new () => Utf8Encoder;
};

/** Refuses malformed UTF-8 (RFC 3629), and keeps a byte order mark, which is a character like any other here. */
export const utf8Decoder: Utf8Decoder = new runtime.TextDecoder("utf-8", {
  fatal: true,
  ignoreBOM: true,
});

/** Shows malformed UTF-8 as replacement characters: for a record's header keys, which nobody vouched for. */
export const lenientUtf8Decoder: Utf8Decoder = new runtime.TextDecoder("utf-8", {
  fatal: false,
  ignoreBOM: true,
});

export const utf8Encoder: Utf8Encoder = new runtime.TextEncoder();
