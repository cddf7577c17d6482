import { expect, it } from "vitest";
import { loadBalancerIn } from "./brokers.ts";

it("the load balancer is read as infra writes it, and none is none", () => {
  expect(loadBalancerIn("")).toEqual({});
  const first = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/a/1";
  expect(loadBalancerIn(`lb.example|9201=${first},9202=b`)).toEqual({
    loadBalancer: {
      host: "lb.example",
      listeners: [
        { port: 9_201, targetGroupArn: first },
        { port: 9_202, targetGroupArn: "b" },
      ],
    },
  });
});
