import type { Attack } from "../attack.ts";
import { absurdValues } from "./absurd-values.ts";
import { bombAttacks } from "./bombs.ts";
import { brokenInsides } from "./broken-insides.ts";
import { frameAttacks } from "./frames.ts";
import { httpAttack } from "./http.ts";
import { connectionAttacks } from "./many-connections.ts";
import { slowClientAttacks } from "./slow-clients.ts";
import { lyingLengths } from "./lying-lengths.ts";
import { longLists } from "./long-lists.ts";

export const allAttacks: readonly Attack[] = [
  ...frameAttacks,
  absurdValues,
  lyingLengths,
  ...longLists,
  ...bombAttacks,
  brokenInsides,
  ...slowClientAttacks,
  ...connectionAttacks,
  httpAttack,
];
