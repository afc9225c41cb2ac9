import { TestkitError } from '../error.ts';

/** A tool as the harness offered it in its request. */
export interface OfferedTool {
  readonly name: string;
  /** `custom`: takes free text instead of JSON arguments (OpenAI Responses). */
  readonly kind: 'function' | 'custom';
  /** JSON Schema of the arguments, `null` for `custom`. */
  readonly parameters: unknown;
  /** Codex groups tools of one server in a namespace. */
  readonly namespace: string | null;
}

export interface ScriptedCall {
  readonly name: string;
  readonly namespace: string | null;
  readonly kind: 'function' | 'custom';
  /** An object for `function`, the whole text for `custom`. */
  readonly input: Readonly<Record<string, unknown>> | string;
}

/** Chooses a call from what is offered, so that one script drives every harness with that harness' own tools. */
export type Step = (offered: readonly OfferedTool[]) => ScriptedCall;

/** One answer of the model. `say` alone ends the agent's turn; `call` makes it run tools and ask again. */
export type Turn =
  | { readonly say: string; readonly call?: never }
  | { readonly say?: string; readonly call: readonly Step[] };

export type Script = readonly Turn[];

/** What the harness asked, whatever its wire format. */
export interface Ask {
  readonly format: 'anthropic' | 'chat' | 'responses' | 'gemini';
  readonly model: string;
  readonly stream: boolean;
  readonly tools: readonly OfferedTool[];
  /** How many scripted turns the conversation already contains; read from the ids of our own calls in its history. */
  readonly turnsDone: number;
  /** Answers to our calls, in order, as text. */
  readonly results: readonly ToolResult[];
}

export interface ToolResult {
  readonly call: string;
  readonly text: string;
}

/** The turn to play, with ids that carry its number. */
export interface Answer {
  readonly say: string | null;
  readonly calls: readonly (ScriptedCall & { readonly id: string })[];
}

const idPattern = /^(?:call|toolu)_cordon_(\d+)_\d+$/;

function callId(prefix: 'call' | 'toolu', turn: number, index: number): string {
  return `${prefix}_cordon_${turn}_${index}`;
}

/** How many turns these call ids of a conversation's history stand for. */
export function turnsIn(ids: readonly string[]): number {
  return ids.reduce((most, id) => {
    const turn = idPattern.exec(id)?.[1];
    return turn === undefined ? most : Math.max(most, Number(turn) + 1);
  }, 0);
}

/**
 * The state of a conversation is its history, not a counter here: a harness that repeats a request gets the same
 * answer again, and side requests (a title, a summary), which offer no tools, do not move the script.
 */
export function answerTo(ask: Ask, script: Script): Answer {
  if (ask.tools.length === 0) return { say: 'Scripted answer.', calls: [] };
  const turn = script[ask.turnsDone];
  if (turn === undefined) return { say: 'The script is over.', calls: [] };
  const prefix = ask.format === 'anthropic' ? 'toolu' : 'call';
  const calls = (turn.call ?? []).map((step, index) => ({
    ...step(ask.tools),
    id: callId(prefix, ask.turnsDone, index),
  }));
  if (turn.call !== undefined && calls.length === 0)
    throw new TestkitError('script-misused', `turn ${ask.turnsDone} calls nothing and says nothing`);
  return { say: turn.say ?? null, calls };
}
