import { approvalMutations } from './approvals.ts';
import { budgetMutations } from './budgets.ts';
import { captureMutations } from './capture.ts';
import { egressMutations } from './egress.ts';
import { endorsementMutations } from './endorsements.ts';
import { gatewayMutations } from './gateway.ts';
import { http2Mutations } from './http2.ts';
import { labelMutations } from './labels.ts';
import { ledgerMutations } from './ledger.ts';
import { lifecycleMutations } from './lifecycle.ts';
import type { Mutation } from './mutation.ts';
import { permitMutations } from './permit.ts';
import { policyMutations } from './policy.ts';
import { recountMutations } from './recount.ts';
import { sandboxMutations } from './sandbox.ts';
import { secretsMutations } from './secrets.ts';
import { websocketMutations } from './websocket.ts';

export const mutations: readonly Mutation[] = [
  ...gatewayMutations,
  ...budgetMutations,
  ...approvalMutations,
  ...endorsementMutations,
  ...captureMutations,
  ...egressMutations,
  ...policyMutations,
  ...permitMutations,
  ...lifecycleMutations,
  ...ledgerMutations,
  ...secretsMutations,
  ...recountMutations,
  ...sandboxMutations,
  ...http2Mutations,
  ...websocketMutations,
  ...labelMutations,
];

/** One per kind of check, with tests that take a second: what `./check` tries each time. */
export const shortRun: readonly string[] = [
  'http/head: two Host are taken',
  'http/headers: hop-by-hop headers are forwarded',
  'address: NAT64 is not looked into',
  'destination: one good address is enough',
  'coding: no ratio',
  'permit/permit: used twice',
  'json/parse: duplicate keys',
  'scrub: nothing is held back at a cut',
  'label/flow: a shared host vouches for its accounts',
  'witness/witness: another root of the same size',
];
