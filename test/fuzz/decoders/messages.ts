import { subscribedTopics } from "../../../broker-fargate/src/group/subscribed-topics.ts";
import { DecodeError, decodeRequestHeader, Reader, Writer } from "@millrace/wire";
import { sampleMessage, samplesPerVersion } from "../../../wire/test/sample-message.ts";
import { codecsOf, schemaFiles } from "../../../wire/test/schemas.ts";
import { joined } from "../mutate-bytes.ts";
import { type Decoder, valueOr } from "./decoder.ts";

/** Every message of every version, requests and responses alike, headers and embedded ones too. */
export async function messageDecoders(): Promise<readonly Decoder[]> {
  const decoders: Decoder[] = [];
  for (const file of schemaFiles) {
    for (const [message, codec] of await codecsOf(file)) {
      for (const version of message.versions) {
        const samples = Array.from({ length: samplesPerVersion }, (_, index) => {
          const writer = new Writer();
          codec.encode(writer, version, sampleMessage(message, version, index));
          return writer.finishBytes().slice();
        });
        decoders.push({
          name: `${message.name} v${version}`,
          samples,
          read: (bytes) =>
            valueOr(DecodeError, () => {
              const reader = new Reader(bytes);
              codec.decode(reader, version);
            }),
        });
      }
    }
  }
  return [...decoders, ...embeddedDecoders(decoders)];
}

function embeddedDecoders(messages: readonly Decoder[]): readonly Decoder[] {
  const samplesOf = (name: string): readonly Uint8Array[] =>
    messages
      .filter((decoder) => decoder.name.startsWith(name))
      .flatMap((decoder, version) =>
        decoder.samples.map((sample) => joined(Uint8Array.of(0, version), sample)),
      );
  const headers = messages.filter(({ name }) => name.startsWith("RequestHeader"));
  return [
    {
      name: "request header by its own API and version",
      samples: headers.flatMap(({ samples }) => samples),
      read: (bytes) => valueOr(DecodeError, () => decodeRequestHeader(new Reader(bytes))),
    },
    {
      name: "topics of a consumer's subscription",
      samples: samplesOf("ConsumerProtocolSubscription"),
      read: (bytes) => (subscribedTopics(bytes) === undefined ? "refused" : "value"),
    },
  ];
}
