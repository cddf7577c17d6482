/** The broker's metrics, by name with labels. Throws when they can't be had. */
export async function readMetrics(httpPort: number): Promise<ReadonlyMap<string, number>> {
  // A connection of its own: one that is kept may be closed by the server as it is used again.
  const headers = { connection: "close" };
  const response = await fetch(`http://127.0.0.1:${httpPort}/metrics`, { headers });
  if (!response.ok) throw new Error(`/metrics: ${response.status}`);
  const lines = (await response.text()).split("\n").filter((line) => !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const cut = line.lastIndexOf(" ");
      return [line.slice(0, cut), Number(line.slice(cut + 1))];
    }),
  );
}
