import { Lanes, SideWorkError } from "@millrace/core";
import type { SideWork, TopicSettings } from "@millrace/core";
import { examineBatchName } from "../side-work/examine-batch.ts";
import type { ExamineAsk, ExamineSaid } from "../side-work/examine-batch.ts";
import { refused } from "./append.ts";
import type { Refused } from "./append.ts";
import type { PartitionLimits } from "./limits.ts";

/** What is known of a batch once it was examined. */
export interface ExaminedBatch {
  readonly found: ExamineSaid["found"];
  /** Compressed as the topic wants it; absent where nobody asked, or its records are refused. */
  readonly rebuilt?: RebuiltBatch | "unsupported";
}

export interface RebuiltBatch {
  readonly bytes: number;
  /** Undefined: larger than the topic takes. */
  readonly records: Uint8Array | undefined;
}

/** One batch that is looked at beside the event loop, under the settings that it came under. */
export class Examination {
  readonly settings: TopicSettings;
  /** Undefined: under way. */
  outcome: ExaminedBatch | Refused | undefined;
  #isReleased = false;
  #tell: (() => void) | undefined;

  constructor(settings: TopicSettings) {
    this.settings = settings;
  }

  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** Nobody needs the outcome any more: decided or refused. */
  release(): void {
    this.#isReleased = true;
    this.#tell?.();
  }

  /** Resolves when it was released. */
  released(): Promise<void> {
    if (this.#isReleased) return Promise.resolve();
    return new Promise((resolve) => {
      this.#tell = resolve;
    });
  }
}

/**
 * Batches that take longer to look at than a turn of the event loop may. What is found out decides
 * nothing: the owner does, in one turn, when it has come.
 *
 * Those that are compressed anew make a batch of up to `max.message.bytes` out of fewer bytes of a
 * request, which is held until it is decided: so a bounded number of them is under way. Only the
 * first append in a partition's queue may be examined: so who holds a place never waits for another
 * one's.
 */
export class Examinations {
  readonly #sideWork: SideWork;
  readonly #reencodings: Lanes;
  readonly #warn: (what: string, cause: unknown) => void;

  constructor(deps: {
    readonly sideWork: SideWork;
    readonly limits: Pick<PartitionLimits, "reencodingsMax">;
    readonly warn: (what: string, cause: unknown) => void;
  }) {
    this.#sideWork = deps.sideWork;
    this.#reencodings = new Lanes(deps.limits.reencodingsMax);
    this.#warn = deps.warn;
  }

  /**
   * `records` may not change before the outcome is there, nor be used again. Calls `onEnd` when it
   * is, unless the examination was released before.
   */
  begin(
    records: Uint8Array,
    ask: ExamineAsk,
    settings: TopicSettings,
    onEnd: () => void,
  ): Examination {
    const examination = new Examination(settings);
    const look = async (): Promise<void> => {
      if (examination.isReleased) return;
      examination.outcome = await this.#examine(records, ask);
      if (!examination.isReleased) onEnd();
    };
    if (ask.reencode === undefined) {
      void look();
    } else {
      void this.#reencodings.run(async () => {
        await look();
        await examination.released();
      });
    }
    return examination;
  }

  async #examine(records: Uint8Array, told: ExamineAsk): Promise<ExaminedBatch | Refused> {
    try {
      const { bytes, says } = await this.#sideWork.run({
        ...{ task: examineBatchName, urgency: "reply", told },
        ...{ bytes: [records], bytesAre: "copied" },
      });
      const { found, rebuiltBytes } = says as unknown as ExamineSaid;
      if (rebuiltBytes === undefined) return { found };
      if (rebuiltBytes === "unsupported") return { found, rebuilt: "unsupported" };
      return { found, rebuilt: { bytes: rebuiltBytes, records: bytes[0] } };
    } catch (error) {
      if (!(error instanceof SideWorkError)) throw error;
      return this.#refusal(error);
    }
  }

  /** Never a silent accept: what could not be looked at is not appended. */
  #refusal(error: SideWorkError): Refused {
    switch (error.reason) {
      case "closed":
        return refused("notLeader");
      case "busy":
        return refused("timedOut", "too many batches wait to be looked at");
      case "died":
      case "threw":
      case "unread":
      case "unknown":
        this.#warn("a batch could not be examined", error);
        return refused("notExamined", "the batch's records could not be looked at");
    }
  }
}
