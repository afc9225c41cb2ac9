import { createPrivateKey, generateKeyPair, type KeyObject, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import type { Clock, Random } from '@cordon/protocol';
import { AsnConvert } from '@peculiar/asn1-schema';
import {
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  type Name,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
} from '@peculiar/asn1-x509';
import { parseAddress } from './address.ts';
import { extension, issueCertificate, keyIdentifier, nameOf, publicKeyInfo } from './certificate.ts';
import { egressError } from './error.ts';
import { limits } from './limits.ts';

const organization = 'Cordon interception';

/** A certificate and its key, both PEM. Whoever holds one of an authority can impersonate any host to its sandboxes. */
export interface KeyedCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** EC P-256, `pathlen 0`, seven days. The caller keeps it (0600) and gives it to the gateways of that tenant alone. */
export async function createAuthority(options: {
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Random;
  readonly tenant: string;
}): Promise<KeyedCertificate> {
  const { publicKey, privateKey } = await createKeyPair();
  const now = options.clock.now();
  const info = publicKeyInfo(publicKey);
  const name = nameOf(organization, `Cordon ${options.tenant} ${new Date(now).toISOString().slice(0, 10)}`);
  const certificate = issueCertificate(
    {
      subject: name,
      issuer: name,
      publicKey: info,
      signer: privateKey,
      notBeforeMs: now - limits.backdateMs,
      notAfterMs: now + limits.authorityLifeMs,
      extensions: [
        extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: true, pathLenConstraint: 0 })),
        extension(id_ce_keyUsage, true, new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign)),
        extension(id_ce_subjectKeyIdentifier, false, new SubjectKeyIdentifier(keyIdentifier(info))),
      ],
    },
    options.random,
  );
  return { certificate, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

/** An authority that was read back and can issue leaves. */
export class Authority {
  readonly certificate: string;
  readonly notAfterMs: number;
  readonly #key: KeyObject;
  readonly #name: Name;
  readonly #keyId: ArrayBuffer;

  /** @throws CordonError `authority-invalid` */
  constructor(pem: KeyedCertificate) {
    try {
      const parsed = new X509Certificate(pem.certificate);
      this.#key = createPrivateKey(pem.key);
      if (!parsed.checkPrivateKey(this.#key) || !parsed.ca) {
        throw egressError('authority-invalid', 'the interception CA and its key do not belong together');
      }
      this.#name = AsnConvert.parse(parsed.raw, Certificate).tbsCertificate.subject;
      this.#keyId = keyIdentifier(publicKeyInfo(parsed.publicKey));
      this.notAfterMs = parsed.validToDate.getTime();
      this.certificate = pem.certificate;
    } catch (error: unknown) {
      throw egressError('authority-invalid', 'the interception CA cannot be read', error);
    }
  }

  /** For many certificates of one key: what they have in common is written once, which is most of the work. */
  leaves(key: KeyObject): Leaves {
    const info = publicKeyInfo(key);
    const authorityId = new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(this.#keyId) });
    const extensions = [
      extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: false })),
      extension(id_ce_keyUsage, true, new KeyUsage(KeyUsageFlags.digitalSignature)),
      extension(id_ce_extKeyUsage, false, new ExtendedKeyUsage([id_kp_serverAuth])),
      extension(id_ce_authorityKeyIdentifier, false, authorityId),
      extension(id_ce_subjectKeyIdentifier, false, new SubjectKeyIdentifier(keyIdentifier(info))),
    ];
    return {
      issue: (host, nowMs, random) => {
        if (nowMs >= this.notAfterMs) throw egressError('authority-expired', 'the interception CA has expired');
        const notAfterMs = Math.min(nowMs + limits.leafLifeMs, this.notAfterMs);
        const name = new GeneralName(parseAddress(host) === null ? { dNSName: host } : { iPAddress: host });
        const san = extension(id_ce_subjectAltName, false, new SubjectAlternativeName([name]));
        const order = {
          subject: nameOf(organization, host),
          issuer: this.#name,
          publicKey: info,
          signer: this.#key,
          notBeforeMs: nowMs - limits.backdateMs,
          notAfterMs,
          extensions: [...extensions, san],
        };
        return { certificate: issueCertificate(order, random), notAfterMs };
      },
    };
  }
}

export interface Leaves {
  /** A certificate for exactly this host name or IP literal. @throws CordonError `authority-expired` */
  issue(host: string, nowMs: number, random: Random): { readonly certificate: string; readonly notAfterMs: number };
}

/** Never RSA: such a key takes a quarter of a second. */
export function createKeyPair(): Promise<{ readonly publicKey: KeyObject; readonly privateKey: KeyObject }> {
  return promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
}
