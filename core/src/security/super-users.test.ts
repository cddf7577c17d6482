import { expect, test } from "vitest";
import { superUsers } from "./super-users.ts";

test("super users are principals between semicolons, and the first admin", () => {
  expect(superUsers("User:CN=a,O=b; User:c ;", undefined)).toEqual(
    new Set(["User:CN=a,O=b", "User:c"]),
  );
  expect(superUsers("User:c", "root")).toEqual(new Set(["User:c", "User:root"]));
  expect(superUsers("", "root")).toEqual(new Set(["User:root"]));
});

test("without any, nobody is more than others", () => {
  expect(superUsers(" ; ", undefined)).toBeUndefined();
});
