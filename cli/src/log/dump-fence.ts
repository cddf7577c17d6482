import { decodeFence } from "@millrace/wire";
import type { Dump } from "./dumper.ts";
import { hexOf } from "./shown-bytes.ts";

/** A fence: it ends the journal of the incarnation that it names at its seq. */
export function dumpFence({ crc32c, report, source }: Dump): void {
  const decoded = decodeFence(source.read(0, source.bytes), crc32c);
  if (decoded.kind === "invalid") {
    return report.damage(0, decoded.reason === "newerFormat" ? "newer-format" : "fence-damaged");
  }
  const { incarnation, nonce, seq, wallMs } = decoded.fence;
  report.line("fence", { at: 0, incarnation, seq, wallMs, nonce: hexOf(nonce) });
}
