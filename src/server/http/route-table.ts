/** The shape of a route and the words of its description; the list itself is in route-list.ts. */
import type { Handler } from './exchange.ts';
import type { ParameterName } from './parameter-list.ts';
import type { Permission } from './users.ts';

export type Method = 'GET' | 'POST' | 'DELETE';

/** Parameters of every route. */
export const always: readonly ParameterName[] = ['pretty', 'strict'];

/** What a route takes as a body, for the description. */
export type BodyKind = 'statements' | 'sql' | 'database' | 'rows' | 'node';

/** A path of a route that takes several. */
export interface ShownPath {
  readonly path: string;
  /** Of those of the route. */
  readonly methods?: readonly Method[];
  readonly summary?: string;
}

export interface Route {
  /** As it is matched; in metrics and in the log it stands for every request that it took. */
  readonly path: string;
  /** As the description writes it, where that is not the path: none for a mere redirect. */
  readonly shown?: readonly ShownPath[];
  /** Whether longer paths are taken too: rqlite matches most of its routes so. */
  readonly isPrefix: boolean;
  readonly methods: readonly Method[] | 'any';
  /** All of them are needed; none: the route is open to everybody. */
  readonly permissions: readonly Permission[];
  /** Of an answer without a body that refuses the request. */
  readonly refusalType?: string;
  readonly parameters: readonly ParameterName[];
  readonly body?: BodyKind;
  readonly answerType: string;
  readonly summary: string;
  readonly handle: Handler;
}

/** A route for each path of it that is described. */
export function listShown(route: Route): readonly Route[] {
  return (route.shown ?? [{}]).map((shown) => ({ ...route, ...shown }));
}
