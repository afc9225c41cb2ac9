import type { LayerSource, Rung } from '@cordon/protocol';

/**
 * R0, the core rules: shipped with the code, above every grant, lifted by nobody. Each is a `forbid … unless`, so
 * what is missing forbids.
 */
const coreRules: Readonly<Record<string, string>> = {
  'ceiling/core/R0-live': '@code("session-stopped")\nforbid (principal, action, resource)\nunless { context.live };',
  'ceiling/core/R0-covered': '@code("flow-R0")\nforbid (principal, action, resource)\nunless { context.covered };',
  'ceiling/core/R0-pinned': '@code("flow-R0")\nforbid (principal, action, resource)\nunless { context.pinned };',
  'ceiling/core/R0-quota': '@code("flow-R0")\nforbid (principal, action, resource)\nunless { context.quotaOk };',
  'ceiling/core/R0-breaker':
    '@code("flow-R0")\nforbid (principal, action, resource)\nunless {\n  context.breaker == 0 || (context.breaker == 1 && context.effect == Cordon::Effect::"read")\n};',
};

/** Core rules that others speak of. */
export const coreRuleIds = { breaker: 'ceiling/core/R0-breaker', quota: 'ceiling/core/R0-quota' } as const;
const egress = 'forbid (principal, action in Cordon::Action::"egress", resource)';

/** What one person may lift, and what takes two or a key that no program can use alone, as far as such can be asked. */
interface Lifts {
  readonly one: string;
  readonly oneStrong: string;
  readonly two: string;
}

/** `highest`: the strongest approval that the tenant knows. What it does not know is asked of the strongest there is. */
function liftsOf(highest: Rung | undefined): Lifts {
  const { quorum, strong } = highest ?? { quorum: 1, strong: false };
  const one = 'context.approval.quorum >= 1';
  const two = quorum >= 2 ? 'context.approval.quorum >= 2' : one;
  const by = (people: string): string => (strong ? `(${people} && context.approval.strong)` : people);
  return { one, oneStrong: by(one), two: by(two) };
}

/** R1 to R8: what may flow where. People's approval lifts them as far as each says; nothing lifts secrets out. */
function flowRules({ one, oneStrong, two }: Lifts): Readonly<Record<string, string>> {
  return {
    'ceiling/core/R1-share': `@code("flow-R1")\n${egress}\nwhen { context.effect == Cordon::Effect::"share" }\nunless { context.flow.destInteg >= 2 || ${one} };`,
    'ceiling/core/R1-spend': `@code("flow-R1")\n${egress}\nwhen { [Cordon::Effect::"spend", Cordon::Effect::"admin"].contains(context.effect) }\nunless { context.flow.destInteg >= 3 || ${two} };`,
    'ceiling/core/R2': `@code("flow-R2")\n${egress}\nwhen { context.effect != Cordon::Effect::"read" }\nunless {\n  context.flow.argConf <= context.flow.clearance || context.flow.readersOk ||\n  (${one} && context.flow.argConf < 3)\n};`,
    'ceiling/core/R3': `@code("flow-R3")\n${egress}\nwhen { context.flow.ctxInteg < 1 && context.flow.ctxConf > 1 }\nunless {\n  context.effect == Cordon::Effect::"read" || context.flow.destInteg >= 3 || ${one}\n};`,
    'ceiling/core/R4': `@code("flow-R4")\n${egress}\nwhen { context.effect == Cordon::Effect::"destroy" }\nunless { context.undoable || context.flow.destInteg >= 3 || ${oneStrong} };`,
    'ceiling/core/R5': `@code("flow-R5")\n${egress}\nwhen { context.effect == Cordon::Effect::"exec" }\nunless {\n  (context.flow.destInteg >= 4 && context.flow.argInteg >= 1) || ${two}\n};`,
    'ceiling/core/R6': `@code("flow-R6")\n${egress}\nwhen { context.effect == Cordon::Effect::"share" }\nunless { context.flow.linksOk || ${one} };`,
    'ceiling/core/R8': `@code("flow-R8")\n${egress}\nwhen { context.effect == Cordon::Effect::"read" }\nunless {\n  context.flow.argConf <= context.flow.clearance || context.flow.readersOk || context.flow.leakOk ||\n  (${one} && context.flow.argConf < 3)\n};`,
  };
}

/**
 * The ceiling of a tenant: the core rules, and one permit, so that the layers below decide. `rungs` choose the version: solo
 * where one person is all that can be asked for, team where two are. The text is recorded with each generation of policy,
 * so a replay judges by the version of then.
 */
export function ceilingFor(rungs: readonly Rung[] = []): LayerSource {
  const policies = {
    ...coreRules,
    ...flowRules(liftsOf(rungs.at(-1))),
    'ceiling/open': '@source("shipped")\npermit (principal, action, resource);',
  };
  return { name: 'ceiling', policies };
}

/** The ceiling of a developer's machine. */
export const coreCeiling: LayerSource = ceilingFor();

/** The tenant's layer where nobody has written one. */
export const openTenant: LayerSource = {
  name: 'tenant',
  policies: { 'tenant/open': '@source("shipped")\npermit (principal, action, resource);' },
};
