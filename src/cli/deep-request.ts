/** What `sluice verify` was asked for, and the line that tells how far a deep one is. */
import type { VerifyOptions } from '../verify/verify.ts';
import type { Invocation } from './invocation.ts';
import { checkValues, duration, toggle, whole, word } from './option-schema.ts';
import { formatCount, formatShare } from './quantity.ts';
import { readLedgerRequest } from './request.ts';
import type { Output } from './terminal.ts';
import { cutText } from './text-width.ts';

const deepShape = { deep: toggle, from: word, showValues: toggle, lanes: whole(1, 64), lockTimeout: duration };

/** @throws SLUICE_USAGE with every problem */
export function readVerifyRequest(invocation: Invocation): { readonly options: VerifyOptions; readonly isJson: boolean } {
  const { selection, isJson } = readLedgerRequest(invocation);
  const { deep, from, showValues: showsValues, lanes, lockTimeout: lockTimeoutMs } = checkValues(invocation, deepShape, []);
  return { options: { ...selection, deep, from, showsValues, lanes, lockTimeoutMs }, isJson };
}

/** Redrawn four times a second at most: enough to see that it moves. */
const frameMs = 250;

/** A line that is redrawn on a terminal; nothing elsewhere. `clear` takes it away. */
export function showComparing(output: Output): { readonly show: NonNullable<VerifyOptions['onProgress']>; readonly clear: () => void } {
  let shownMs = 0;
  let isShown = false;
  const erase = '\r\x1b[2K';
  return {
    show: ({ rows, bytes, totalBytes }) => {
      const now = performance.now();
      if (!output.isTerminal || now - shownMs < frameMs) return;
      shownMs = now;
      const share = totalBytes === undefined || totalBytes === 0 ? '' : ` · ${formatShare(Math.min(1, bytes / totalBytes))}`;
      const text = cutText(`comparing: ${formatCount(rows)} rows${share}`, (output.width() ?? 80) - 1);
      isShown = output.write(`${erase}${output.colors.dim(text)}`);
    },
    clear: () => {
      if (isShown) output.write(erase);
      isShown = false;
    },
  };
}
