import { expect, it } from "vitest";
import { namedEndpoints } from "./stand-ins.ts";

it("finds every service where all of them are named at once", () => {
  const url = "http://localhost:4566";
  const all = { s3: url, dynamodb: url, cloudFormation: url };
  expect(namedEndpoints({ AWS_ENDPOINT_URL: url })).toEqual(all);
});

it("takes a service's own name before that of all, and nothing for what nobody named", () => {
  const environment = {
    AWS_ENDPOINT_URL_S3: "http://s3",
    AWS_ENDPOINT_URL_CLOUDFORMATION: "http://c",
  };
  expect(namedEndpoints(environment)).toEqual({ s3: "http://s3", cloudFormation: "http://c" });
  const both = { AWS_ENDPOINT_URL: "http://all", AWS_ENDPOINT_URL_CLOUDFORMATION: "http://c" };
  expect(namedEndpoints(both)).toMatchObject({ s3: "http://all", cloudFormation: "http://c" });
});
