import { listOf, objectOf, stringOf, textOf } from './json.ts';
import { type Answer, type Ask, type ToolResult, turnsIn } from './script.ts';
import type { WireEvent } from './wire.ts';

/** OpenAI chat completions. */
export function readChat(body: unknown): Ask {
  const request = objectOf(body);
  const results = listOf(request['messages'])
    .filter((message) => message['role'] === 'tool')
    .map((message): ToolResult => ({ call: stringOf(message['tool_call_id']), text: textOf(message['content']) }));
  return {
    format: 'chat',
    model: stringOf(request['model']),
    stream: request['stream'] === true,
    tools: listOf(request['tools'])
      .map((tool) => objectOf(tool['function']))
      .map((tool) => ({
        name: stringOf(tool['name']),
        kind: 'function',
        parameters: tool['parameters'],
        namespace: null,
      })),
    turnsDone: turnsIn(results.map((result) => result.call)),
    results,
  };
}

const usage = { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 };

export function completionOf(ask: Ask, answer: Answer, id: string): Record<string, unknown> {
  const calls = toolCalls(answer);
  const message = {
    role: 'assistant',
    content: answer.say,
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
  };
  return {
    id,
    object: 'chat.completion',
    created: 0,
    model: ask.model,
    choices: [{ index: 0, message, finish_reason: finishReason(answer), logprobs: null }],
    usage,
  };
}

export function completionEvents(ask: Ask, answer: Answer, id: string): WireEvent[] {
  const chunk = (delta: unknown, finish: string | null): WireEvent => ({
    event: null,
    data: {
      id,
      object: 'chat.completion.chunk',
      created: 0,
      model: ask.model,
      choices: [{ index: 0, delta, finish_reason: finish, logprobs: null }],
    },
  });
  const events = [chunk({ role: 'assistant', content: answer.say ?? '' }, null)];
  toolCalls(answer).forEach((call, index) => {
    const json = call.function.arguments;
    const half = Math.ceil(json.length / 2);
    events.push(
      chunk({ tool_calls: [{ ...call, index, function: { ...call.function, arguments: '' } }] }, null),
      chunk({ tool_calls: [{ index, function: { arguments: json.slice(0, half) } }] }, null),
      chunk({ tool_calls: [{ index, function: { arguments: json.slice(half) } }] }, null),
    );
  });
  events.push(
    chunk({}, finishReason(answer)),
    {
      event: null,
      data: { id, object: 'chat.completion.chunk', created: 0, model: ask.model, choices: [], usage },
    },
    { event: null, data: '[DONE]' },
  );
  return events;
}

function toolCalls(answer: Answer) {
  return answer.calls.map((call) => ({
    id: call.id,
    type: 'function',
    function: { name: call.name, arguments: JSON.stringify(call.input) },
  }));
}

function finishReason(answer: Answer): string {
  return answer.calls.length > 0 ? 'tool_calls' : 'stop';
}
