/** What is told about a statement from its text alone: plain data, with places in the text so that other statements can be made of its parts. */

/** A stretch of a text: from `start` up to, not including, `end` (in UTF-16 units). */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

/** A name as it was written: `text` without its quotes, in the letters of the text. */
export interface WrittenName extends TextRange {
  readonly text: string;
  readonly isQuoted: boolean;
}

/** The one table that an INSERT, UPDATE or DELETE changes. */
export interface ShapeTable {
  readonly schema: WrittenName | undefined;
  readonly name: WrittenName;
  readonly alias: WrittenName | undefined;
  /** Schema and name as they stand in the text, quotes included. */
  readonly written: string;
}

/** `column = expression` among the conditions of a WHERE that must all hold. */
export interface ShapeEquality {
  readonly column: WrittenName;
  /** What stands before the column's dot. */
  readonly qualifier: WrittenName | undefined;
  readonly value: TextRange;
  /** Whether the value is the same for every row: literals, parameters and functions of them, no other column and no query. */
  readonly isConstant: boolean;
}

/** The rows of an INSERT. `values`: one list of ranges for each row · `select`: a query · `default`: DEFAULT VALUES. */
export type ShapeRows =
  | { readonly kind: 'values'; readonly range: TextRange; readonly rows: readonly (readonly TextRange[])[] }
  | {
      readonly kind: 'select';
      readonly range: TextRange;
      /** The values of the one row of a SELECT without FROM; whatever its WHERE says. */
      readonly rows: readonly (readonly TextRange[])[] | undefined;
    }
  | { readonly kind: 'default' };

/** What the text of one statement tells. All of it is a guess where the text is not valid SQL; the engine says what is wrong then. */
export interface StatementShape {
  /** First keyword in upper case, behind WITH the one of the main statement; `''` where there is none. `REPLACE` is told as `INSERT`. */
  readonly verb: string;
  /** Only reads, as far as the text tells: SELECT, VALUES, EXPLAIN, SHOW, reading PRAGMAs; no changing WITH, no SELECT INTO or FOR UPDATE. */
  readonly isRead: boolean;
  /** Starts, ends or parts a transaction, or can't run in one (ATTACH, DETACH, VACUUM, CREATE DATABASE …). */
  readonly controlsTransaction: boolean;
  /** COMMIT, END, ROLLBACK or ABORT of the whole transaction, not of a savepoint. */
  readonly endsTransaction: boolean;
  readonly hasReturning: boolean;
  /** Of an INSERT, UPDATE or DELETE on one named table. */
  readonly table: ShapeTable | undefined;
  /** The WITH clause in front, without the blanks behind it. */
  readonly withClause: TextRange | undefined;
  /** The column list of an INSERT; undefined where there is none. */
  readonly columns: readonly WrittenName[] | undefined;
  readonly rows: ShapeRows | undefined;
  /** OR IGNORE, or ON CONFLICT … DO NOTHING. */
  readonly ignoresConflict: boolean;
  /** OR REPLACE (or REPLACE INTO), or ON CONFLICT … DO UPDATE: a row in the way is changed, not met with an error. */
  readonly replacesConflict: boolean;
  /** ON CONFLICT … DO UPDATE … WHERE: a row in the way is changed on a condition. */
  readonly guardsConflict: boolean;
  readonly hasWhere: boolean;
  /** Of UPDATE and DELETE. */
  readonly equalities: readonly ShapeEquality[];
}
