/** Whether code runs on behalf of a consumer: in a handler of it, or in what it tells of something. */
import { AsyncLocalStorage } from "node:async_hooks";

const consumers = new AsyncLocalStorage<object>();

/** True within what `callFor` called for this consumer, and in what that calls. */
export function isCalledFor(consumer: object): boolean {
  return consumers.getStore() === consumer;
}

/** Calls on behalf of a consumer, which then waits for it: it must not wait for the consumer's end. */
export function callFor<Given, Result>(
  consumer: object,
  call: (given: Given) => Result,
  given: Given,
): Result {
  return consumers.run(consumer, call, given);
}
