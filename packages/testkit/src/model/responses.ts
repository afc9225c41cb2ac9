import { type JsonObject, listOf, objectOf, stringOf, textOf } from './json.ts';
import { type Answer, type Ask, type OfferedTool, type ToolResult, turnsIn } from './script.ts';
import type { WireEvent } from './wire.ts';

/** OpenAI responses. */
export function readResponses(body: unknown): Ask {
  const request = objectOf(body);
  const results = listOf(request['input'])
    .filter((item) => stringOf(item['type']).endsWith('_call_output'))
    .map((item): ToolResult => ({ call: stringOf(item['call_id']), text: textOf(item['output']) }));
  // Newer Codex offers its tools in an item of the input and not in `tools`.
  const offered = listOf(request['input'])
    .filter((item) => item['type'] === 'additional_tools')
    .flatMap((item) => listOf(item['tools']));
  return {
    format: 'responses',
    model: stringOf(request['model']),
    stream: request['stream'] === true,
    tools: [...listOf(request['tools']), ...offered].flatMap(toolsOf),
    turnsDone: turnsIn(results.map((result) => result.call)),
    results,
  };
}

/** A namespace holds the tools of one server; server tools such as `web_search` are none that the harness runs. */
function toolsOf(tool: JsonObject): OfferedTool[] {
  const name = stringOf(tool['name']);
  switch (tool['type']) {
    case 'function':
      return [{ name, kind: 'function', parameters: tool['parameters'], namespace: null }];
    case 'custom':
      return [{ name, kind: 'custom', parameters: null, namespace: null }];
    case 'namespace':
      return listOf(tool['tools'])
        .flatMap(toolsOf)
        .map((inner) => ({ ...inner, namespace: name }));
    default:
      return [];
  }
}

export function responseOf(ask: Ask, answer: Answer, id: string): Record<string, unknown> {
  return {
    id,
    object: 'response',
    created_at: 0,
    status: 'completed',
    error: null,
    incomplete_details: null,
    model: ask.model,
    output: outputItems(answer, id),
    parallel_tool_calls: true,
    usage: {
      input_tokens: 100,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 10,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 110,
    },
  };
}

export function responseEvents(ask: Ask, answer: Answer, id: string): WireEvent[] {
  const completed = responseOf(ask, answer, id);
  const opening = { ...completed, status: 'in_progress', output: [], usage: null };
  const events: WireEvent[] = [];
  const push = (type: string, rest: Readonly<Record<string, unknown>>): void => {
    events.push({ event: type, data: { type, sequence_number: events.length, ...rest } });
  };
  push('response.created', { response: opening });
  push('response.in_progress', { response: opening });
  outputItems(answer, id).forEach((item, output_index) => {
    pushItem(push, item, output_index);
  });
  // Every item comes once more, whole: what was withheld or changed in the stream has to be so here too.
  push('response.completed', { response: completed });
  return events;
}

type Push = (type: string, rest: Readonly<Record<string, unknown>>) => void;

function pushItem(push: Push, item: Record<string, unknown>, output_index: number): void {
  const at = { item_id: item['id'], output_index };
  push('response.output_item.added', { output_index, item: begun(item) });
  switch (item['type']) {
    case 'message': {
      const part = listOf(item['content'])[0] ?? {};
      const text = stringOf(part['text']);
      push('response.content_part.added', { ...at, content_index: 0, part: { ...part, text: '' } });
      push('response.output_text.delta', { ...at, content_index: 0, delta: text, logprobs: [] });
      push('response.output_text.done', { ...at, content_index: 0, text, logprobs: [] });
      push('response.content_part.done', { ...at, content_index: 0, part });
      break;
    }
    case 'custom_tool_call':
      push('response.custom_tool_call_input.delta', { ...at, delta: item['input'] });
      push('response.custom_tool_call_input.done', { ...at, input: item['input'] });
      break;
    default: {
      const json = stringOf(item['arguments']);
      const half = Math.ceil(json.length / 2);
      push('response.function_call_arguments.delta', { ...at, delta: json.slice(0, half) });
      push('response.function_call_arguments.delta', { ...at, delta: json.slice(half) });
      push('response.function_call_arguments.done', { ...at, arguments: json });
    }
  }
  push('response.output_item.done', { output_index, item });
}

function begun(item: Record<string, unknown>): Record<string, unknown> {
  const empty: Record<string, unknown> = { message: { content: [] }, custom_tool_call: { input: '' } };
  return { ...item, status: 'in_progress', ...objectOf(empty[stringOf(item['type'])] ?? { arguments: '' }) };
}

function outputItems(answer: Answer, id: string): Record<string, unknown>[] {
  const items: Record<string, unknown>[] = [];
  if (answer.say !== null)
    items.push({
      id: `msg_${id}`,
      type: 'message',
      status: 'completed',
      role: 'assistant',
      content: [{ type: 'output_text', text: answer.say, annotations: [] }],
    });
  for (const call of answer.calls) {
    const shared = {
      id: `fc_${call.id}`,
      status: 'completed',
      call_id: call.id,
      name: call.name,
      ...(call.namespace === null ? {} : { namespace: call.namespace }),
    };
    items.push(
      typeof call.input === 'string'
        ? { ...shared, type: 'custom_tool_call', input: call.input }
        : { ...shared, type: 'function_call', arguments: JSON.stringify(call.input) },
    );
  }
  return items;
}
