/**
 * Who alone may change credentials: `super.users`, and the first admin; undefined: everybody may. By
 * semicolons, as in Kafka: a name from a certificate has commas.
 */
export function superUsers(
  text: string,
  admin: string | undefined,
): ReadonlySet<string> | undefined {
  const named = text.split(";").map((principal) => principal.trim());
  const all = [...named, admin === undefined ? "" : `User:${admin}`];
  const principals = new Set(all.filter((principal) => principal !== ""));
  return principals.size === 0 ? undefined : principals;
}
