import type { CriticalRule, CriticalType, HttpArgs, Intent } from '@cordon/protocol';

/** A route whose body says who gets what is sent, so that its host and account alone do not. */
interface Route {
  readonly origin: string;
  readonly method: string;
  /** The last segments of the path. */
  readonly path: string;
  readonly critical: readonly CriticalRule[];
}

const recipient = (at: string, type: CriticalType): CriticalRule => ({ at, type, among: [] });

const routes: readonly Route[] = [
  {
    origin: 'https://slack.com:443',
    method: 'POST',
    path: '/api/chat.postMessage',
    critical: [recipient('/channel', 'id')],
  },
  {
    origin: 'https://api.telegram.org:443',
    method: 'POST',
    path: '/sendMessage',
    critical: [recipient('/chat_id', 'id')],
  },
  {
    origin: 'https://api.sendgrid.com:443',
    method: 'POST',
    path: '/v3/mail/send',
    critical: ['to', 'cc', 'bcc'].map((list) => recipient(`/personalizations/*/${list}/*/email`, 'email')),
  },
  {
    origin: 'https://api.postmarkapp.com:443',
    method: 'POST',
    path: '/email',
    critical: ['To', 'Cc', 'Bcc'].map((list) => recipient(`/${list}`, 'email')),
  },
];

/** What the catalogue says is critical in the body of this request. */
export function criticalOf({ action, resource, args }: Intent): readonly CriticalRule[] {
  if (action !== 'http.request') return [];
  const { method, path } = args as Partial<HttpArgs>;
  const route = routes.find(
    (each) =>
      each.origin === resource && each.method === method && typeof path === 'string' && path.endsWith(each.path),
  );
  return route?.critical ?? [];
}
