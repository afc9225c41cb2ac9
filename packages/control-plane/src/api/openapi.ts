import type { RecordValue } from '@cordon/protocol';
import * as api from '@cordon/protocol/api';
import { z } from 'zod';
import { statuses } from '../error.ts';
import type { JsonRoute, Route } from './route.ts';

type Json = { readonly [key: string]: unknown };

/** OpenAPI 3.1, generated from the very schemas that validate; nothing in it is written by hand. */
export function createOpenApi(routes: readonly Route[], version: string): RecordValue {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const operations = paths[route.path] ?? {};
    operations[route.method.toLowerCase()] = route.kind === 'json' ? operation(route) : upgrade(route);
    paths[route.path] = operations;
  }
  const document = {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: { title: 'Cordon', version, description: 'Runs agents inside a boundary. Served on a Unix socket.' },
    paths,
    components: { schemas: { Problem: schemaOf(api.problem, 'output') } },
  };
  return JSON.parse(JSON.stringify(document)) as RecordValue;
}

function operation(route: JsonRoute<unknown, unknown, unknown>): Json {
  const content: Record<string, Json> = { 'application/json': { schema: schemaOf(route.answer.schema, 'output') } };
  if (route.follow !== null) content['text/event-stream'] = { schema: { type: 'string' } };
  return {
    ...head(route),
    parameters: [
      ...pathParameters(route.path),
      ...queryParameters(route.query),
      ...(route.creates ? [header('Idempotency-Key', 'The same key with the same request gets the same answer.')] : []),
    ],
    ...(route.body === null
      ? {}
      : { requestBody: { content: { 'application/json': { schema: schemaOf(route.body, 'input') } } } }),
    responses: { [route.answer.status]: { description: route.summary, content }, ...problems() },
  };
}

function upgrade(route: Extract<Route, { kind: 'upgrade' }>): Json {
  return {
    ...head(route),
    parameters: [
      ...pathParameters(route.path),
      ...queryParameters(route.query),
      header('Upgrade', route.protocol, true),
    ],
    responses: { 101: { description: `${route.protocol}: frames both ways` }, ...problems() },
  };
}

function head(route: Route): Json {
  return {
    operationId: route.action.replace('.', '_'),
    summary: route.summary,
    'x-cordon-action': route.action,
    'x-cordon-limits': { ...route.limits },
  };
}

function problems(): Json {
  const codes = Object.keys(statuses).join(', ');
  return {
    default: {
      description: `RFC 9457 problem; code is one of: ${codes}`,
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    },
  };
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/\{([a-z]+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters(query: z.core.$ZodType | null): Json[] {
  if (query === null) return [];
  const schema = schemaOf(query, 'input') as { properties?: Record<string, Json>; required?: readonly string[] };
  return Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    in: 'query',
    required: schema.required?.includes(name) ?? false,
    schema: property,
  }));
}

function header(name: string, description: string, required = false): Json {
  return { name, in: 'header', required, description, schema: { type: 'string' } };
}

function schemaOf(schema: z.core.$ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', io, unrepresentable: 'any' });
  return rest;
}
