import { type JsonObject, listOf, objectOf, stringOf } from './json.ts';
import { type Answer, type Ask, type ToolResult, turnsIn } from './script.ts';
import type { WireEvent } from './wire.ts';

/** `/v1beta/models/MODEL:METHOD`: model and method stand in the path, not in the body. */
export const generatePath = /^\/v1(?:beta)?\/models\/([^/:]+):(generateContent|streamGenerateContent)$/;

/** Gemini API, v1beta. */
export function readGenerate(body: unknown, path: string): Ask {
  const request = objectOf(body);
  const [, model = '', method = ''] = generatePath.exec(path) ?? [];
  const parts = listOf(request['contents']).flatMap((content) => listOf(content['parts']));
  const results = parts
    .map((part) => objectOf(part['functionResponse']))
    .filter((answer) => stringOf(answer['id']) !== '')
    .map((answer): ToolResult => ({ call: stringOf(answer['id']), text: responseText(objectOf(answer['response'])) }));
  return {
    format: 'gemini',
    model,
    stream: method === 'streamGenerateContent',
    tools: listOf(request['tools'])
      .flatMap((tool) => listOf(tool['functionDeclarations']))
      .map((tool) => ({
        name: stringOf(tool['name']),
        kind: 'function',
        parameters: tool['parametersJsonSchema'] ?? tool['parameters'],
        namespace: null,
      })),
    turnsDone: turnsIn(results.map((result) => result.call)),
    results,
  };
}

/** `output` and `error` are what the API's documentation names; a harness may send any object. */
function responseText(response: JsonObject): string {
  return stringOf(response['output']) || stringOf(response['error']) || JSON.stringify(response);
}

const usageMetadata = { promptTokenCount: 100, candidatesTokenCount: 10, totalTokenCount: 110 };

export function generatedOf(ask: Ask, answer: Answer, id: string): Record<string, unknown> {
  return chunkOf(ask, id, partsOf(answer), 'STOP');
}

/** Each part in a chunk of its own; the last names the reason for the end, and the body's end is the end. */
export function generatedEvents(ask: Ask, answer: Answer, id: string): WireEvent[] {
  return [
    ...partsOf(answer).map((part) => ({ event: null, data: chunkOf(ask, id, [part], null) })),
    { event: null, data: chunkOf(ask, id, [{ text: '' }], 'STOP') },
  ];
}

function partsOf(answer: Answer): Record<string, unknown>[] {
  return [
    ...(answer.say === null ? [] : [{ text: answer.say }]),
    ...answer.calls.map((call) => ({ functionCall: { id: call.id, name: call.name, args: call.input } })),
  ];
}

function chunkOf(
  ask: Ask,
  id: string,
  parts: readonly Record<string, unknown>[],
  finish: 'STOP' | null,
): Record<string, unknown> {
  return {
    candidates: [{ index: 0, content: { role: 'model', parts }, ...(finish === null ? {} : { finishReason: finish }) }],
    usageMetadata,
    modelVersion: ask.model,
    responseId: id,
  };
}
