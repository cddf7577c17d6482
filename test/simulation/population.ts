import type { ClientProcess, Scene } from "./client.ts";

export type RunningClient = ClientProcess & { run(): Promise<void> };

/** The clients of a run: those that crash, and are begun anew, and those that do not. */
export class Population {
  readonly #scene: Scene;
  readonly #clients = new Map<ClientProcess, () => RunningClient>();
  readonly #running = new Set<ClientProcess>();
  #made = 0;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  /** Whether nobody is left who has not come to an end. */
  get isEmpty(): boolean {
    return this.#running.size === 0;
  }

  get names(): string {
    return [...this.#running].map(({ name }) => name).join(", ");
  }

  /** No two are alike. */
  newName(what: string): string {
    this.#made += 1;
    return `${what}-${this.#made}`;
  }

  /** One that may crash. */
  begin(make: () => RunningClient): void {
    const client = make();
    this.#clients.set(client, make);
    this.watch(client, client.run());
  }

  watch(client: ClientProcess, run: Promise<void>): void {
    this.#running.add(client);
    run.then(
      () => this.#running.delete(client),
      (error: unknown) => {
        this.#running.delete(client);
        const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
        const what = `${client.name} failed: ${stack.split("\n").slice(0, 4).join(" | ")}`;
        this.#scene.host.note(what);
      },
    );
  }

  crashOne(): void {
    const { host, world } = this.#scene;
    const [client, make] = world.pick([...this.#clients]);
    this.#clients.delete(client);
    this.#running.delete(client);
    client.crash();
    host.table.add("client crash", client.name.replace(/-\d+$/u, ""));
    this.begin(make);
  }
}
