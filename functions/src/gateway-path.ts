/** Where nothing is. */
const nowhere = "/";

/**
 * The API's path of a request, by the gateway's: `/iam/v1/…` is `/v1/…` behind another door. IAM and
 * the gateway compare paths as they were sent; whoever makes a URL of one resolves its dots and turns
 * its backslashes (WHATWG URL). A path that would then be another one is taken for one where nothing
 * is: it was never let in there.
 */
export function pathBehindDoor(rawPath: string): string {
  if (/[\\\t\r\n]/u.test(rawPath) || rawPath.split("/").some(isDots)) return nowhere;
  return rawPath.replace(/^\/iam(?=\/v1(\/|$))/u, "");
}

function isDots(segment: string): boolean {
  return /^(?:\.|%2e){1,2}$/iu.test(segment);
}
