/** Whether code runs on behalf of a consumer: in a handler of it, or in what it tells of something. */
import { AsyncLocalStorage } from "node:async_hooks";

/** A call for a consumer. What it calls may run another consumer, whose handlers are both's. */
interface Call {
  readonly consumer: object;
  readonly within: Call | undefined;
}

const calls = new AsyncLocalStorage<Call | undefined>();

/** True within what `callFor` called for this consumer, and in what that calls. */
export function isCalledFor(consumer: object): boolean {
  for (let call = calls.getStore(); call !== undefined; call = call.within) {
    if (call.consumer === consumer) return true;
  }
  return false;
}

/** Calls on behalf of a consumer, which then waits for it: it must not wait for the consumer's end. */
export function callFor<Given, Result>(
  consumer: object,
  call: (given: Given) => Result,
  given: Given,
): Result {
  // Once is enough: what a handler calls may make its consumer call the next one at once.
  if (isCalledFor(consumer)) return call(given);
  return calls.run({ consumer, within: calls.getStore() }, call, given);
}

/** Calls on behalf of no consumer, of whose end it may be told. */
export function callForNobody<Result>(call: () => Result): Result {
  return calls.run(undefined, call);
}
