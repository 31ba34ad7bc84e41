/** What the float lists of a column look like, and from which length on they are embeddings. */

/** As for lists in text: so long ones are embeddings, and a few of another length are faults of the data; shorter ones must all be of one length, or null. */
export const minEmbeddingLength = 16;

/** What the lists of a column look like. */
export interface ListLengths {
  /** Undefined where they are no vectors. */
  readonly dimensions: number | undefined;
  /** There was a list to look at. */
  readonly isSeen: boolean;
}
