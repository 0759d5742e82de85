/** What has been started so far, to be closed in the reverse order: at the end, or when something after it cannot start. */
export class Started {
  readonly #closing: (() => Promise<void> | void)[] = [];

  /** Takes in what has just been started, and how it is closed. */
  add<T>(part: T, close: (part: T) => Promise<void> | void): T {
    this.#closing.push(() => close(part));
    return part;
  }

  /** Closes everything, also when closing a part of it fails; that failure is thrown at the end. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (const close of this.#closing.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Runs a start; where it fails, closes what it has started before. */
  static async or<T>(start: (started: Started) => Promise<T>): Promise<T> {
    const started = new Started();
    try {
      return await start(started);
    } catch (error) {
      await started.close().catch(() => undefined); // the first failure is what matters
      throw error;
    }
  }
}
