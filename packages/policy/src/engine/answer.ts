import type {
  AuthorizationAnswer,
  SchemaJson as CedarSchemaJson,
  CheckParseAnswer,
  DetailedError,
  PolicyJson,
  PolicySetTextToPartsAnswer,
  PolicyToJsonAnswer,
  SchemaToJsonAnswer,
  ValidationAnswer,
} from '@cedar-policy/cedar-wasm/web';

/** The shapes that Cedar answers in. They come from our own trusted engine, so they are typed and not parsed. */
export type { AuthorizationAnswer, DetailedError, PolicyJson, ValidationAnswer };
export type ParseAnswer = CheckParseAnswer;
export type JsonAnswer = PolicyToJsonAnswer;
export type SchemaJson = CedarSchemaJson<string>;
export type SchemaAnswer = SchemaToJsonAnswer;
export type PartsAnswer = PolicySetTextToPartsAnswer;

/** One evaluation as `authorize` needs it. */
export type Evaluation =
  | {
      readonly ok: true;
      readonly allowed: boolean;
      /** Ids of the policies that decided, sorted; Cedar gives them in no fixed order. */
      readonly reasons: readonly string[];
      /** Ids of policies whose evaluation failed, sorted; Cedar skips such policies, we deny. */
      readonly failed: readonly string[];
    }
  | { readonly ok: false; readonly why: 'rejected' | 'failed' };

export function toEvaluation(answer: AuthorizationAnswer): Evaluation {
  if (answer.type !== 'success') return { ok: false, why: 'rejected' };
  const { decision, diagnostics } = answer.response;
  return {
    ok: true,
    allowed: decision === 'allow',
    reasons: [...diagnostics.reason].sort(),
    failed: diagnostics.errors.map((error) => error.policyId).sort(),
  };
}
