import type { PayloadKind } from '@cordon/protocol';
import { parseJson } from '../json/parse.ts';
import { isUnread, type Json } from '../json/value.ts';

/**
 * Addresses, and markup that could hide one: a scheme, `www.`, an e-mail or numeric address, a name with a dot that a
 * client would turn into a link, tags, entities, and the brackets of Markdown. It finds too much on purpose (`file.ts`).
 */
const link =
  /[a-z][a-z0-9+.-]*:\/\/|\bwww\.|(?:mailto|data|javascript|tel):|@|[<>]|&#|\]\s*[([:]|[\p{L}\p{N}-][.。．｡]\p{L}{2,}|\d{1,3}(?:\.\d{1,3}){3}/iu;

/** Whether people who read this could be led somewhere by it. What cannot be read might hold anything. */
export function mayHoldLinks(kind: PayloadKind, body: Uint8Array): boolean {
  switch (kind) {
    case 'none':
      return false;
    case 'opaque':
      return true;
    case 'text':
      return link.test(textOf(body));
    case 'form':
      return link.test(unescaped(textOf(body)));
    case 'json': {
      const parsed = parseJson(body, 'document', { bytesMax: body.length });
      return !parsed.ok || holdsLinks(parsed.value);
    }
  }
}

function holdsLinks(value: Json): boolean {
  if (typeof value === 'string') return link.test(value);
  if (isUnread(value)) return true;
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(
    ([key, inner]) => (!Array.isArray(value) && link.test(key)) || holdsLinks(inner as Json),
  );
}

function textOf(body: Uint8Array): string {
  return new TextDecoder().decode(body);
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    // An escape that is none: whoever reads it may read anything.
    return '<';
  }
}
