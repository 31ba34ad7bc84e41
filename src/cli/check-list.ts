/** The options of `plan --check`, `plan --write` and `preview`: how they are written, and what help says of them. */
import type { OptionGroup } from './option-list.ts';

/** Of `sluice plan`. */
export const writeGroup: OptionGroup = {
  title: 'The plan as a file:',
  options: [
    { flags: '--write <file>', description: 'write the load as it was planned into a YAML file, to be edited and loaded by -c' },
    { flags: '--force', description: 'over a file that is there' },
  ],
};

export const checkGroup: OptionGroup = {
  title: 'Check:',
  options: [
    { flags: '--check', description: 'read the whole input and list everything wrong in it, with statistics of the columns' },
    { flags: '--positions <count>', description: 'places told of each cause (default: 5)' },
    { flags: '--no-statistics', description: 'leave the statistics of the columns out' },
    { flags: '--price-per-million-tokens <price>', description: 'what the embedder asks for, to tell what it would cost' },
    {
      flags: '--key-memory <size>',
      description: 'for comparing keys that come in no order; the rest goes to a temporary file (default: 64MiB)',
    },
    { flags: '--temp-folder <path>', description: 'where that file is (default: of the system)' },
  ],
};

/** Of `sluice preview`. */
export const previewGroup: OptionGroup = {
  title: 'Preview:',
  options: [{ flags: '-n <count>', description: 'rows to show (default: 10)' }],
};
