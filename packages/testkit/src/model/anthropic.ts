import { listOf, objectOf, stringOf, textOf } from './json.ts';
import { type Answer, type Ask, type ToolResult, turnsIn } from './script.ts';
import type { WireEvent } from './wire.ts';

/** Anthropic Messages, version 2023-06-01. */
export function readMessages(body: unknown): Ask {
  const request = objectOf(body);
  const parts = listOf(request['messages']).flatMap((message) => listOf(message['content']));
  const results = parts
    .filter((part) => part['type'] === 'tool_result')
    .map((part): ToolResult => ({ call: stringOf(part['tool_use_id']), text: textOf(part['content']) }));
  return {
    format: 'anthropic',
    model: stringOf(request['model']),
    stream: request['stream'] === true,
    tools: listOf(request['tools'])
      .filter((tool) => 'input_schema' in tool)
      .map((tool) => ({
        name: stringOf(tool['name']),
        kind: 'function',
        parameters: tool['input_schema'],
        namespace: null,
      })),
    turnsDone: turnsIn(results.map((result) => result.call)),
    results,
  };
}

const usage = { input_tokens: 100, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 10 };

export function messageOf(ask: Ask, answer: Answer, id: string): Record<string, unknown> {
  return {
    id,
    type: 'message',
    role: 'assistant',
    model: ask.model,
    content: [
      ...(answer.say === null ? [] : [{ type: 'text', text: answer.say }]),
      ...answer.calls.map((call) => ({ type: 'tool_use', id: call.id, name: call.name, input: call.input })),
    ],
    stop_reason: answer.calls.length > 0 ? 'tool_use' : 'end_turn',
    stop_sequence: null,
    usage,
  };
}

export function messageEvents(ask: Ask, answer: Answer, id: string): WireEvent[] {
  const whole = messageOf(ask, answer, id);
  const events: WireEvent[] = [
    named('message_start', {
      message: { ...whole, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } },
    }),
    named('ping', {}),
  ];
  let index = 0;
  if (answer.say !== null) {
    events.push(
      named('content_block_start', { index, content_block: { type: 'text', text: '' } }),
      named('content_block_delta', { index, delta: { type: 'text_delta', text: answer.say } }),
      named('content_block_stop', { index }),
    );
    index += 1;
  }
  for (const call of answer.calls) {
    const json = JSON.stringify(call.input);
    const half = Math.ceil(json.length / 2);
    events.push(
      named('content_block_start', {
        index,
        content_block: { type: 'tool_use', id: call.id, name: call.name, input: {} },
      }),
      ...[json.slice(0, half), json.slice(half)].map((partial) =>
        named('content_block_delta', { index, delta: { type: 'input_json_delta', partial_json: partial } }),
      ),
      named('content_block_stop', { index }),
    );
    index += 1;
  }
  events.push(
    named('message_delta', { delta: { stop_reason: whole['stop_reason'], stop_sequence: null }, usage }),
    named('message_stop', {}),
  );
  return events;
}

function named(type: string, rest: Readonly<Record<string, unknown>>): WireEvent {
  return { event: type, data: { type, ...rest } };
}
