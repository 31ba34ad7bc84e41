/** What the state of a load means for those who would go on with it. */

/** Whether a load has nothing left to go on with: it is done, or its rows were taken out again. */
export function isOver(state: string): boolean {
  return state === 'done' || state === 'undone';
}
