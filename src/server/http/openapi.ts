/** The description of all routes as OpenAPI 3.1, made from the same list that requests are matched by: nothing is described that is not there. */
import { parameterTexts, valued, type ParameterName } from './parameter-list.ts';
import { jsonType } from './reply.ts';
import { listShown, type BodyKind, type Method, type Route } from './route-table.ts';
import { readVersion } from './version.ts';

const errorText = { description: 'What is wrong, as plain text.', content: { 'text/plain': { schema: { type: 'string' } } } };

/** A document that says what each route takes and gives. */
export function describeRoutes(routes: readonly Route[], hasAuth: boolean): Readonly<Record<string, unknown>> {
  const paths = routes.flatMap((route) => listShown(route).map((shown) => [shown.path, describePath(shown.path, shown)] as const));
  return {
    openapi: '3.1.0',
    info: {
      title: 'sluice serve',
      version: readVersion(),
      description:
        'Statements, loads and backups over an SQLite database; the routes of rqlite, and a few more. GET /docs shows this as a page.',
    },
    paths: Object.fromEntries(paths),
    components: {
      schemas: { Statements: statementsSchema, Answer: answerSchema },
      securitySchemes: { basic: { type: 'http', scheme: 'basic' } },
    },
    ...(hasAuth ? { security: [{ basic: [] }] } : {}),
  };
}

const parameterSchema = { oneOf: [{ type: ['string', 'number', 'boolean', 'null'] }, { type: 'array', items: { type: 'integer' } }] };

const statementsSchema = {
  description: 'Each statement is SQL, [SQL, values by place …] or [SQL, {values by name}].',
  type: 'array',
  items: {
    oneOf: [
      { type: 'string' },
      { type: 'array', prefixItems: [{ type: 'string' }], items: { oneOf: [...parameterSchema.oneOf, { type: 'object' }] } },
    ],
  },
  examples: [[['INSERT INTO foo(name, age) VALUES(?, ?)', 'fiona', 20]]],
};

const answerSchema = {
  type: 'object',
  properties: {
    results: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          last_insert_id: { type: 'integer' },
          rows_affected: { type: 'integer' },
          columns: { type: 'array', items: { type: 'string' } },
          types: { type: ['array', 'object'] },
          values: { type: 'array', items: { type: 'array' } },
          rows: { type: ['array', 'null'], items: { type: 'object' } },
          error: { type: 'string' },
          time: { type: 'number' },
        },
      },
    },
    error: { type: 'string', description: 'The whole request failed, though the status is 200.' },
    time: { type: 'number' },
    raft_index: { type: 'integer' },
    sequence_number: { type: 'integer', format: 'int64' },
  },
  required: ['results'],
};

const bodies: Readonly<Record<BodyKind, unknown>> = {
  statements: {
    required: true,
    content: {
      'application/json': { schema: { $ref: '#/components/schemas/Statements' } },
      'text/plain': { schema: { type: 'string', description: 'One SQL text.' } },
    },
  },
  sql: {
    content: { 'text/plain': { schema: { type: 'string' } }, 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
  },
  database: { required: true, content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } } },
  rows: {
    required: true,
    content: { 'application/x-ndjson': { schema: { type: 'string' } }, 'text/csv': { schema: { type: 'string' } } },
  },
  node: {
    required: true,
    content: { 'application/json': { schema: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] } } },
  },
};

function describePath(path: string, route: Route): Readonly<Record<string, unknown>> {
  const methods: readonly Method[] = route.methods === 'any' ? ['GET'] : route.methods;
  return Object.fromEntries(methods.map((method) => [method.toLowerCase(), describeMethod(path, route, method)]));
}

function describeMethod(path: string, route: Route, method: Method): Readonly<Record<string, unknown>> {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
  const takesBody = route.body !== undefined && method !== 'GET';
  const isEvents = path.endsWith('/events');
  const answerType = isEvents ? 'text/event-stream' : route.answerType;
  const schema = route.body === 'statements' ? { $ref: '#/components/schemas/Answer' } : answerType === jsonType ? {} : { type: 'string' };
  const needed = route.permissions.join(' and ');
  return {
    operationId: `${method.toLowerCase()}${path.replace(/\W+(\w)/g, (_match, letter: string) => letter.toUpperCase()).replace(/\W/g, '')}`,
    summary: route.summary,
    description: needed === '' ? 'Open to everybody.' : `Needs the permission ${needed} where the server has users.`,
    parameters: [...inPath, ...route.parameters.map(describeParameter)],
    ...(takesBody && route.body !== undefined ? { requestBody: bodies[route.body] } : {}),
    responses: {
      200: { description: 'The answer.', content: { [answerType.split(';', 1)[0] ?? '']: { schema } } },
      400: errorText,
      ...(needed === '' ? {} : { 401: { description: 'Without the permission.' } }),
      405: { description: 'Another method.' },
      ...(takesBody ? { 408: errorText, 413: errorText } : {}),
      503: errorText,
    },
  };
}

function describeParameter(name: ParameterName): Readonly<Record<string, unknown>> {
  const isValued = valued.has(name);
  return {
    name,
    in: 'query',
    required: false,
    allowEmptyValue: !isValued,
    description: parameterTexts[name],
    schema: { type: 'string' },
  };
}
