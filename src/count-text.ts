/** Counts as a person reads them. */

/** `1,234,567`, rounded; bigints too. Not `toLocaleString`: its first call loads tables for 17 ms, and every load says some counts. */
export function formatCount(count: number | bigint): string {
  const whole = typeof count === 'number' ? Math.round(count) : count;
  return String(whole).replaceAll(/\B(?=(?:\d{3})+$)/gu, ',');
}
