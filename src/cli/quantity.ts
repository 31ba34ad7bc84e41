/** Quantities as the terminal shows them: the same words as in reports. */
export { formatBytes, formatCount, formatCountOf, formatDuration, formatElapsed, formatRate, formatShare } from '../quantity-text.ts';
