import { type LimitTest, met } from "./limit-test.ts";

const api = "control-api/src/app.test.ts";
const topics = "control-api/src/routes/topics.test.ts";
const rates = "control-api/src/request-rates.test.ts";
const resets = "control-api/src/routes/group-offsets.test.ts";
const secrets = "control-api/src/routes/secrets.test.ts";
const repeats = "control-api/src/idempotency/idempotency.test.ts";
const login = "control-api/src/kafka/control-login.test.ts";
const access = "control-api/src/kafka/kafka-access.test.ts";

const ofUnseen =
  "of a topic that the brokers do not show yet finds it later: the first one was no refusal";

/** Of the control plane's API. */
export const controlLimitTests: Readonly<Record<string, LimitTest>> = {
  bodyBytesMax: met("413", api, "with a body of %s is refused"),
  requestBurstMax: met("429", rates, "is a burst, and then a rate"),
  requestsPerSecond: met("429", rates, "is a burst, and then a rate"),
  ratedPrincipalsMax: met(
    "the least recent one begins anew",
    rates,
    "is forgotten of the least recent one when there are too many",
  ),
  pageItemsMax: met("a page ends", topics, "have a page of at most so many items"),
  pageItemsDefault: met("a page ends", topics, "have a page of at most so many items"),
  cursorCharactersMax: met("400", api, "with %s is refused"),
  idempotencyKeyCharactersMin: met(
    "400",
    repeats,
    "an Idempotency-Key that could be guessed, or is too long, is refused",
  ),
  idempotencyKeyCharactersMax: met(
    "400",
    repeats,
    "an Idempotency-Key that could be guessed, or is too long, is refused",
  ),
  idempotencyKeptMs: met("it is a new request", repeats, "after a day is a new request"),
  idempotencyLeaseMs: met(
    "a repeat goes on",
    repeats,
    "goes on in the place of one that died, when its lease is over, with the same secret and id",
  ),
  idempotencySweptMax: met(
    "the rest goes with later ones",
    repeats,
    "replies that are a day old go, a few whenever one is kept",
  ),
  labelCharactersMax: met("400", secrets, "has one of three roles, and a name of some characters"),
  apiKeysMax: met("409", secrets, "is refused when there are as many as there may be"),
  credentialsMax: met("409", secrets, "is refused when there are as many as there may be"),
  problemPlacesMax: met(
    "the rest is not named",
    "control-api/src/invalid-request.test.ts",
    "names a bounded number of the places that are wrong, and is short about each",
  ),
  problemDetailCharactersMax: met(
    "shortened",
    "control-api/src/invalid-request.test.ts",
    "names a bounded number of the places that are wrong, and is short about each",
  ),
  configEntriesMax: met("400", topics, "have bounded partitions, configs and values"),
  configValueCharactersMax: met("400", topics, "have bounded partitions, configs and values"),
  topicPartitionsMax: met("400", topics, "have bounded partitions, configs and values"),
  offsetResetsMax: met(
    "400",
    resets,
    "has a bounded number of places, and of partitions that they come to",
  ),
  resetPartitionsMax: met(
    "400",
    resets,
    "has a bounded number of places, and of partitions that they come to",
  ),
  madeTopicLooksMax: met("503", repeats, ofUnseen),
  madeTopicLookMs: met("it is looked for again", repeats, ofUnseen),
  clusterCallMsMax: met("503", access, "is waited for no longer than so"),
  openClustersMax: met(
    "the longest unused client is closed",
    access,
    "closes the longest unused one when it holds as many as it may",
  ),
  keptLoginsMax: met(
    "the longest unused one is forgotten",
    "control-api/src/kafka/control-logins.test.ts",
    "each cluster has one login, and of too many the longest unused one is forgotten",
  ),
  renewLoginMs: met(
    "another login is made",
    login,
    "a login is renewed when it has the age for it, and another one is made where it is refused",
  ),
  controlLoginMsMax: met(
    "it is removed",
    login,
    "what a process left behind goes when it is older than any login is used",
  ),
  loginsSweptMax: met(
    "the rest goes with later ones",
    login,
    "of very many that were left behind some go each time",
  ),
};
