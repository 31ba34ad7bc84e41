/** What a driver hands to the conformance suite. */

/** An empty database of the test's own. */
export interface ConformanceTarget {
  /** What `--to` takes. */
  readonly url: string;
  /** Removes the database. */
  dispose(): Promise<void>;
}

export interface ConformanceOptions {
  /** Name of the driver, for the test's titles. */
  readonly name: string;
  /** Makes a new, empty database each time it is called. */
  createTarget(): Promise<ConformanceTarget>;
  /** A URL of the driver whose database does not exist and can't be made. */
  readonly unreachableUrl: string;
}
