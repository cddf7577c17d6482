import { expect, test } from "vitest";
import { controlPlane } from "./control-plane.ts";

test.for(["control.example.com", "localhost:8080", "", "https://", "file:///etc"])(
  "'%s' is no address of a control plane, and nobody is asked in vain",
  (url) => {
    expect(() => controlPlane({ url })).toThrow("no address of a control plane");
  },
);
