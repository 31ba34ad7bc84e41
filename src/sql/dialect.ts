/** The two kinds of SQL text that are read here; they differ in strings, comments, operators and parameters. */

/** `sqlite` is also what rqlite takes; `postgres` also what its relatives and PGlite take. */
export type Dialect = 'sqlite' | 'postgres';
