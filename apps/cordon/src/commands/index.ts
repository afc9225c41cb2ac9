import type { Command } from '../command.ts';
import { approvals, approve, deny } from './approvals.ts';
import * as breaker from './breaker.ts';
import { budgets } from './budgets.ts';
import { completeCommand, completion } from './completion.ts';
import { doctor, down, status, up } from './daemon.ts';
import { demo } from './demo.ts';
import * as endorsements from './endorsements.ts';
import { exec } from './exec.ts';
import * as keys from './keys.ts';
import * as ledger from './ledger.ts';
import { logs } from './logs.ts';
import * as people from './people.ts';
import * as policy from './policy/index.ts';
import { run } from './run.ts';
import * as secrets from './secrets.ts';
import { ps, show } from './sessions.ts';
import { freeze, kill, unfreeze } from './stop.ts';
import { suggest } from './suggest.ts';
import { top } from './top.ts';
import { apply, diff, discard } from './workspace.ts';

/** In the order of the help. */
export const commands: readonly Command[] = [
  run,
  exec,
  demo,
  ps,
  top,
  show,
  logs,
  diff,
  apply,
  discard,
  freeze,
  kill,
  unfreeze,
  policy.check,
  policy.show,
  policy.test,
  policy.explain,
  policy.diff,
  policy.replay,
  suggest,
  policy.sign,
  policy.activate,
  policy.shadow,
  policy.rollback,
  policy.history,
  policy.trust,
  secrets.set,
  secrets.list,
  secrets.remove,
  budgets,
  breaker.list,
  breaker.reset,
  approvals,
  approve,
  deny,
  endorsements.list,
  endorsements.withdraw,
  people.list,
  people.add,
  people.group,
  people.remove,
  people.whoami,
  keys.show,
  keys.exportKeys,
  ledger.verify,
  ledger.show,
  ledger.prove,
  ledger.shred,
  ledger.witness,
  ledger.exported,
  doctor,
  up,
  down,
  status,
  completion,
];

/** Asked by shells, not by people. */
export const complete: Command = completeCommand(() => commands);
