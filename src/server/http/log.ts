/** The server's log: one line an event on stderr, as JSON or as text. It never holds bodies, SQL, values, query strings or passwords. */

const levels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof levels)[number];
export type LogFormat = 'json' | 'text';
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  /** Whether lines of this level are wanted, for callers that would have to compute them. */
  wants(level: LogLevel): boolean;
  write(level: LogLevel, event: string, fields?: LogFields): void;
}

export interface LogOptions {
  readonly format: LogFormat;
  readonly level: LogLevel;
  readonly write: (line: string) => void;
}

export function openLog({ format, level, write }: LogOptions): Log {
  const least = levels.indexOf(level);
  const wants = (asked: LogLevel): boolean => levels.indexOf(asked) >= least;
  const layout = format === 'json' ? layoutJson : layoutText;
  return {
    wants,
    write: (at, event, fields = {}) => {
      if (wants(at)) write(`${layout(at, event, fields)}\n`);
    },
  };
}

function layoutJson(level: LogLevel, event: string, fields: LogFields): string {
  return JSON.stringify({ time: new Date().toISOString(), level, event, ...fields });
}

function layoutText(level: LogLevel, event: string, fields: LogFields): string {
  const pairs = Object.entries(fields).filter(([, value]) => value !== undefined);
  const shown = pairs.map(([name, value]) => ` ${name}=${layoutValue(value)}`).join('');
  return `${new Date().toISOString()} ${level.padEnd(5)} ${event}${shown}`;
}

/** Quoted where it is more than a word, so that no value can make a line of its own. */
function layoutValue(value: LogFields[string]): string {
  const text = String(value);
  return /^[\w.:+/-]+$/.test(text) ? text : JSON.stringify(text);
}
