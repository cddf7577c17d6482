/** What a bucket holds. Unsigned, as everything that this run asks of what stands in for AWS. */

/** Objects, and uploads in parts that nobody ended: neither may outlive its cluster. */
export async function inBucket(endpoint: string, bucket: string): Promise<readonly string[]> {
  const list = async (query: string, root: string): Promise<readonly string[]> => {
    const response = await fetch(`${endpoint}/${bucket}?${query}`);
    const text = await response.text();
    // Whoever was not answered would else seem to have seen that there is nothing.
    if (!response.ok || !text.includes(`<${root}`)) {
      throw new Error(`${bucket}?${query}: ${response.status} ${text.slice(0, 800)}`);
    }
    return [...text.matchAll(/<Key>([^<]*)<\/Key>/gu)].map(([, key = ""]) => key);
  };
  const objects = await list("list-type=2", "ListBucketResult");
  const uploads = await list("uploads", "ListMultipartUploadsResult");
  return [...objects.map((key) => `object ${key}`), ...uploads.map((key) => `upload ${key}`)];
}
