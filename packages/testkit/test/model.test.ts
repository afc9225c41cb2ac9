import { describe, expect, it } from 'vitest';
import { createFile, editFile, runCommand, type Script, ScriptedModel } from '../src/index.ts';

const script: Script = [{ say: 'Working.', call: [runCommand('echo a'), runCommand('echo b')] }, { say: 'Done.' }];

/** One request in each wire format, with the history of `turns` finished turns. */
const formats = {
  anthropic: {
    path: '/v1/messages',
    tools: [{ name: 'Bash', input_schema: { type: 'object', properties: { command: {} } } }],
    body: (ids: readonly string[]) => ({
      model: 'm',
      messages: [
        { role: 'user', content: 'task' },
        { role: 'user', content: ids.map((id) => ({ type: 'tool_result', tool_use_id: id, content: 'out' })) },
      ],
    }),
  },
  chat: {
    path: '/v1/chat/completions',
    tools: [{ type: 'function', function: { name: 'bash', parameters: { properties: { command: {} } } } }],
    body: (ids: readonly string[]) => ({
      model: 'm',
      messages: ids.map((id) => ({ role: 'tool', tool_call_id: id, content: 'out' })),
    }),
  },
  responses: {
    path: '/v1/responses',
    tools: [{ type: 'function', name: 'exec_command', parameters: { properties: { cmd: {} } } }],
    body: (ids: readonly string[]) => ({
      model: 'm',
      input: ids.map((id) => ({ type: 'function_call_output', call_id: id, output: 'out' })),
    }),
  },
  gemini: {
    path: '/v1beta/models/m:generateContent',
    tools: [{ functionDeclarations: [{ name: 'run_shell_command', parametersJsonSchema: { properties: {} } }] }],
    body: (ids: readonly string[]) => ({
      contents: [
        { role: 'user', parts: [{ text: 'task' }] },
        {
          role: 'user',
          parts: ids.map((id) => ({ functionResponse: { id, name: 'x', response: { output: 'out' } } })),
        },
      ],
    }),
  },
} as const;

/** Three formats say in the body that they want a stream, one in the path. */
const streamPath = (path: string): string => path.replace(':generateContent', ':streamGenerateContent?alt=sse');

async function ask(url: string, path: string, body: unknown, key = 'right'): Promise<Response> {
  return fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key },
    body: JSON.stringify(body),
  });
}

function events(text: string): { event: string | null; data: Record<string, unknown> | string }[] {
  return text
    .split('\n\n')
    .filter((block) => block !== '')
    .map((block) => {
      const data = /^data: (.*)$/m.exec(block)?.[1] ?? '';
      return {
        event: /^event: (.*)$/m.exec(block)?.[1] ?? null,
        data: data.startsWith('{') ? (JSON.parse(data) as Record<string, unknown>) : data,
      };
    });
}

describe.each(Object.entries(formats))('a scripted model, %s', (name, format) => {
  it('plays the turn that the history says, however often it is asked', async () => {
    await using model = await ScriptedModel.start({ script, keys: ['right'] });
    const first = await (await ask(model.url, format.path, { ...format.body([]), tools: format.tools })).text();
    const again = await (await ask(model.url, format.path, { ...format.body([]), tools: format.tools })).text();
    const ids = [...new Set(first.match(/(call|toolu)_cordon_\d+_\d+/g))];
    expect(ids.map((id) => id.replace(/^[a-z]+_/, ''))).toEqual(['cordon_0_0', 'cordon_0_1']);
    expect(again.match(/(call|toolu)_cordon_\d+_\d+/g)).toEqual(first.match(/(call|toolu)_cordon_\d+_\d+/g));
    expect(first).toContain('Working.');
    const last = await (await ask(model.url, format.path, { ...format.body(ids), tools: format.tools })).text();
    expect(last).toContain('Done.');
    expect(last).not.toContain('cordon_1');
    const results = model.requests.at(-1)?.ask?.results;
    expect(results).toEqual(ids.map((call) => ({ call, text: 'out' })));
    expect(model.turns).toHaveLength(3);
  });

  it('streams the same answer in pieces that join to it', async () => {
    await using model = await ScriptedModel.start({ script, keys: null });
    const response = await ask(model.url, streamPath(format.path), {
      ...format.body([]),
      tools: format.tools,
      stream: true,
    });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const list = events(await response.text());
    const text = JSON.stringify(list);
    expect(text).toContain('Working.');
    const last = list.at(-1);
    switch (name) {
      case 'anthropic': {
        expect(last?.event).toBe('message_stop');
        const parts = list.flatMap(({ data }) =>
          typeof data === 'object' &&
          (data['delta'] as { partial_json?: string } | undefined)?.partial_json !== undefined
            ? [(data['delta'] as { partial_json: string }).partial_json]
            : [],
        );
        expect(parts).toHaveLength(4);
        expect(JSON.parse(parts.slice(0, 2).join(''))).toMatchObject({ command: 'echo a' });
        break;
      }
      case 'chat':
        expect(last?.data).toBe('[DONE]');
        expect(text).toContain('"finish_reason":"tool_calls"');
        break;
      case 'gemini': {
        const candidates = list.map(
          ({ data }) =>
            (data as { candidates: { finishReason?: string; content: { parts: unknown[] } }[] }).candidates[0],
        );
        expect(candidates.map((candidate) => candidate?.finishReason)).toEqual([
          undefined,
          undefined,
          undefined,
          'STOP',
        ]);
        expect(candidates[1]?.content.parts).toEqual([
          {
            functionCall: {
              id: 'call_cordon_0_0',
              name: 'run_shell_command',
              args: expect.objectContaining({ command: 'echo a' }),
            },
          },
        ]);
        expect(model.turns[0]?.ask).toMatchObject({ format: 'gemini', model: 'm', stream: true });
        break;
      }
      default: {
        expect(last?.event).toBe('response.completed');
        const numbers = list.map(({ data }) => (data as { sequence_number: number }).sequence_number);
        expect(numbers).toEqual(numbers.map((_, index) => index));
        const completed = last?.data as { response: { output: { type: string; arguments?: string }[] } };
        const output = completed.response.output;
        expect(output.map((item) => item.type)).toEqual(['message', 'function_call', 'function_call']);
        expect(JSON.parse(output[1]?.arguments ?? '')).toMatchObject({ cmd: 'echo a' });
      }
    }
  });

  it('refuses a wrong key, and answers side requests without moving the script', async () => {
    await using model = await ScriptedModel.start({ script, keys: ['right'] });
    const refused = await ask(model.url, format.path, { ...format.body([]), tools: format.tools }, 'cordon:secret:x');
    expect(refused.status).toBe(401);
    expect(model.requests.map(({ key, status, ask }) => ({ key, status, ask }))).toEqual([
      { key: 'cordon:secret:x', status: 401, ask: null },
    ]);
    const title = await (await ask(model.url, format.path, format.body([]))).text();
    expect(title).toContain('Scripted answer.');
    expect(title).not.toContain('cordon_0');
  });
});

it('a Gemini key is read from its own header, and the other endpoints answer', async () => {
  await using model = await ScriptedModel.start({ script, keys: ['right'] });
  const call = (method: string, path: string, key: string): Promise<Response> =>
    fetch(`${model.url}${path}`, { method, headers: { 'x-goog-api-key': key } });
  expect((await call('POST', '/v1beta/models/m:countTokens', 'right')).status).toBe(200);
  expect((await call('GET', '/v1beta/models', 'right')).status).toBe(200);
  expect((await call('POST', '/v1beta/models/m:countTokens', 'wrong')).status).toBe(401);
  expect((await call('POST', '/v1beta/models/m:predict', 'right')).status).toBe(404);
});

describe('steps', () => {
  const call = (
    step: ReturnType<typeof runCommand>,
    name: string,
    kind: 'function' | 'custom',
    ...properties: string[]
  ) =>
    step([
      {
        name,
        kind,
        parameters: { properties: Object.fromEntries(properties.map((property) => [property, {}])) },
        namespace: null,
      },
    ]).input;

  it('speak each harness’ own words', () => {
    expect(call(createFile('/w/a', 'x\n'), 'Write', 'function')).toEqual({ file_path: '/w/a', content: 'x\n' });
    expect(call(createFile('/w/a', 'x\n'), 'write', 'function', 'filePath')).toEqual({
      filePath: '/w/a',
      content: 'x\n',
    });
    expect(call(createFile('/w/a', 'x\n'), 'write', 'function', 'path')).toEqual({ path: '/w/a', content: 'x\n' });
    expect(call(editFile('/w/a', 'x', 'y'), 'replace', 'function')).toMatchObject({
      file_path: '/w/a',
      new_string: 'y',
    });
    expect(call(createFile('/w/a', 'x\ny\n'), 'apply_patch', 'custom')).toBe(
      '*** Begin Patch\n*** Add File: /w/a\n+x\n+y\n*** End Patch',
    );
    expect(call(editFile('/w/a', 'x', 'y'), 'apply_patch', 'function', 'patchText')).toEqual({
      patchText: '*** Begin Patch\n*** Update File: /w/a\n@@\n-x\n+y\n*** End Patch',
    });
    expect(call(runCommand('id "a"'), 'exec', 'custom')).toContain('{"cmd":"id \\"a\\"","yield_time_ms":30000}');
  });

  it('fail loudly when a harness has no such tool', async () => {
    expect(() => call(runCommand('id'), 'telepathy', 'function')).toThrow(
      /no offered tool can run a command.*telepathy/,
    );
    await using model = await ScriptedModel.start({ script, keys: null });
    const answer = await ask(model.url, '/v1/messages', {
      messages: [],
      tools: [{ name: 'Telepathy', input_schema: {} }],
    });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('no offered tool can run a command');
  });
});
