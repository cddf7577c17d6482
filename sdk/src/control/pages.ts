/** The items of a list, whose pages are asked for one by one. */
export async function* pages<Item>(
  page: (cursor: { readonly cursor?: string }) => Promise<{
    readonly items: readonly Item[];
    readonly nextCursor?: string | undefined;
  }>,
): AsyncGenerator<Item, void, undefined> {
  let cursor: string | undefined;
  do {
    const { items, nextCursor } = await page(cursor === undefined ? {} : { cursor });
    yield* items;
    cursor = nextCursor;
  } while (cursor !== undefined);
}
