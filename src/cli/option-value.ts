/** A value of an option before it is checked, and where it came from. */
export type OptionValue = string | boolean | readonly string[];

/** Who said it: the first of these wins. */
export type Origin = 'flag' | 'environment' | 'file' | 'preset';
