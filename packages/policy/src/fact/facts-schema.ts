import { commonFields, effects, type Field, flowFields } from './field.ts';

export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

/** JSON Schema (2020-12) of the facts record, for those who read ledgers in other languages. */
export const factsSchema: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'urn:cordon:schema:facts:1',
  ...withOptional(['counters'], {
    v: { const: 'facts/1' },
    attempt: { type: 'string' },
    intent: { type: 'string', pattern: '^sha256:[0-9a-f]{64}$' },
    at: { type: 'string', format: 'date-time' },
    freshUntil: { type: 'string', format: 'date-time' },
    ...propertiesOf(commonFields),
    checks: { type: 'array', items: { type: 'string' } },
    args: { type: 'object', additionalProperties: { type: 'array', items: { type: 'string' } } },
    nums: { type: 'object', additionalProperties: { type: 'integer' } },
    flow: objectOf(propertiesOf(flowFields)),
    labels: withOptional(['endorsed'], {
      ctx: { type: 'string', pattern: '^sha256:[0-9a-f]{64}$' },
      grade: { enum: [1, 2, 3] },
      leakBytes: { type: 'integer', minimum: 0 },
      leakUsed: { type: 'integer', minimum: 0 },
      endorsed: objectOf({
        id: { type: 'string', pattern: '^end_[0-7][0-9a-hjkmnp-tv-z]{25}$' },
        destInteg: schemaOf(flowFields.destInteg),
      }),
    }),
    counters: objectOf({
      noted: { type: 'integer', minimum: 0 },
      own: { enum: [0, 1, 2] },
      sink: { enum: [0, 1, 2] },
      tick: { type: 'integer', minimum: 0 },
    }),
  }),
};

function withOptional(names: readonly string[], properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  const required = Object.keys(properties).filter((name) => !names.includes(name));
  return { ...objectOf(properties), required };
}

function objectOf(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}

function propertiesOf(fields: Readonly<Record<string, Field>>): Record<string, JsonSchema> {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, schemaOf(field)]));
}

function schemaOf(field: Field): JsonSchema {
  switch (field.type) {
    case 'bool':
      return { type: 'boolean' };
    case 'long':
      return { type: 'integer', minimum: field.min, maximum: field.max };
    case 'effect':
      return { enum: effects };
  }
}
