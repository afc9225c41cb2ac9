import { firstRoot, openRoot, type TrustRoot } from '@cordon/policy';
import type { Store } from '@cordon/store';
import { fault, refusal } from '../error.ts';
import type { Recorder } from '../ledger/recorder.ts';
import type { People } from '../people/people.ts';
import { Turn } from '../turns.ts';

export interface TrustOptions {
  readonly tenant: string;
  readonly store: Pick<Store, 'settings'>;
  readonly people: People;
  readonly recorder: Recorder;
}

/** Every root from the first written one on, so that each can be checked against the one before it. */
const settingName = (tenant: string): string => `policy.trust/${tenant}`;

/** Whose signatures put policy in force here. Until a root is written it is the owner of the daemon, alone. */
export class Trust {
  readonly #options: TrustOptions;
  #root: TrustRoot | null;
  readonly #turn = new Turn();

  private constructor(options: TrustOptions, root: TrustRoot | null) {
    this.#options = options;
    this.#root = root;
  }

  /** @throws CordonError `state-unusable` when what is kept is no chain of signed roots */
  static async open(options: TrustOptions): Promise<Trust> {
    const text = await options.store.settings.get(settingName(options.tenant));
    if (text === null) return new Trust(options, null);
    const kept = JSON.parse(text) as { readonly first: TrustRoot; readonly envelopes: readonly unknown[] };
    let root = kept.first;
    for (const envelope of kept.envelopes) {
      const opened = openRoot(envelope, root);
      if (!opened.ok) throw fault('state-unusable', `trust root ${root.number + 1}: ${opened.message}`);
      root = opened.root;
    }
    return new Trust(options, root);
  }

  get root(): TrustRoot {
    return this.#root ?? this.#first();
  }

  /** The next root; signed by the thresholds of the old and of the new one. @throws CordonError `trust-invalid` */
  rotate(envelope: unknown, by: string): Promise<TrustRoot> {
    return this.#turn.take(async () => {
      const before = this.root;
      const opened = openRoot(envelope, before);
      if (!opened.ok) throw refusal('trust-invalid', opened.message, ['cordon policy trust']);
      const { tenant, store, recorder } = this.#options;
      const text = await store.settings.get(settingName(tenant));
      const kept = text === null ? { first: before, envelopes: [] } : (JSON.parse(text) as { envelopes: unknown[] });
      const { number, kind, thresholds, signers } = opened.root;
      const people = signers.map(({ person, key }) => ({ iss: person.iss, sub: person.sub, key: key.id }));
      const data = { act: 'rotate', by, tenant, number, kind, thresholds: { ...thresholds }, people };
      await recorder.record({ type: 'trust', session: null, data, body: JSON.stringify(envelope) }, 'disk');
      await store.settings.set(
        settingName(tenant),
        JSON.stringify({ ...kept, envelopes: [...kept.envelopes, envelope] }),
      );
      this.#root = opened.root;
      return opened.root;
    });
  }

  #first(): TrustRoot {
    const { tenant, people } = this.#options;
    const { operator, directory } = people;
    const keys = directory.find(({ person }) => person.sub === operator.sub && person.iss === operator.iss)?.keys ?? [];
    return firstRoot(tenant, operator, keys);
  }
}
