import { type AuthorizationAnswer, type Evaluation, type ParseAnswer, toEvaluation } from './answer.ts';
import type { Binding } from './binding.ts';
import { sampleRequest } from './sample.ts';

/**
 * Policies that cannot be evaluated: Cedar skips them and answers with the rest, which for the forbid means allow.
 * What must come back is therefore an answer that names both as failed, so that `authorize` denies.
 */
export const plantedPolicies: Readonly<Record<string, string>> = {
  'self-test/permit': 'permit (principal, action, resource) when { context.args.getTag("/never").isEmpty() };',
  'self-test/forbid': 'forbid (principal, action, resource) when { context.nums.getTag("/never") > 0 };',
};

const open = { 'self-test/open': 'permit (principal, action, resource);' };
const slot = 'self-test';

/** The instance knows allow from deny, reports skipped policies, and refuses a request with a missing field. */
export function passesSelfTest(binding: Binding, schemaName: string): boolean {
  const allowed = ask(binding, schemaName, open, sampleRequest);
  const nothing = ask(binding, schemaName, {}, sampleRequest);
  const missing = ask(binding, schemaName, open, sampleRequest.replace('"live":true,', ''));
  return (
    allowed?.ok === true &&
    allowed.allowed &&
    nothing?.ok === true &&
    !nothing.allowed &&
    missing?.ok === false &&
    reportsPlanted(binding, schemaName, open)
  );
}

/** Both planted policies are named as failed when they are evaluated beside these. */
export function reportsPlanted(binding: Binding, schemaName: string, texts: Readonly<Record<string, string>>): boolean {
  const evaluation = ask(binding, schemaName, { ...texts, ...plantedPolicies }, sampleRequest);
  return evaluation?.ok === true && Object.keys(plantedPolicies).every((id) => evaluation.failed.includes(id));
}

function ask(
  binding: Binding,
  schemaName: string,
  texts: Readonly<Record<string, string>>,
  request: string,
): Evaluation | null {
  const parsed = binding.preparse('preparsePolicySet', slot, JSON.stringify({ staticPolicies: texts })) as ParseAnswer;
  if (parsed.type !== 'success') return null;
  const json = `{"preparsedSchemaName":"${schemaName}","validateRequest":true,"preparsedPolicySetId":"${slot}",${request}}`;
  return toEvaluation(binding.call('statefulIsAuthorized', json) as AuthorizationAnswer);
}
