import {
  type DnsQuestion,
  parseQuestion,
  writeAnswer,
  writeRefusal,
} from '../../packages/gateway/src/capture/dns-message.ts';
import { must, type Target } from '../engine/target.ts';

export const target: Target = {
  name: 'dns',
  about: 'DNS queries of a sandbox, and the answers to them',
  oracle:
    'the question is the one that a second reader, written from RFC 1035, finds; an answer carries its id and its very bytes, and reads back as what it was made of; nothing that is an answer is answered',
  lengthMax: 600,
  shortRuns: 30_000,
  dictionary: [
    '\x03www\x07example\x03com\0',
    '\0\x01\0\x01',
    '\0\0\x29\x04\xd0\0\0\0\0\0\0',
    '\xc0\x0c',
    '\x3f',
    '\x40',
  ],
  seeds: () => [
    query('\x01a\x07example\0', 1),
    query('\x03wWw\x01a\x07example\0', 28, '\0\0\x29\x04\xd0\0\0\0\0\0\0'),
    query('\0', 1),
    query('\x03a.b\0', 1),
  ],
  run(input, feedback) {
    const bytes = Buffer.from(input);
    const read = parseQuestion(bytes);
    feedback.note(read.kind === 'malformed' ? read.code : read.kind);
    const isAnswer = bytes.length >= 4 && (bytes.readUInt16BE(2) & 0x8000) !== 0;
    must(!isAnswer || read.kind === 'silence', 'an answer is answered', read);
    if (read.kind === 'malformed') {
      must(writeRefusal(read).readUInt16BE(0) === bytes.readUInt16BE(0), 'a refusal with another id');
    }
    if (read.kind === 'question') checkQuestion(read, bytes);
  },
};

type Question = Extract<DnsQuestion, { kind: 'question' }>;

function checkQuestion(read: Question, bytes: Buffer): void {
  const labels = labelsAt(bytes, 12);
  must(labels !== null, 'a question, but no name to a second reader', read);
  const text = labels.labels.map((label) => label.toString('latin1').toLowerCase());
  const isHost = text.length > 0 && text.every((label) => /^[a-z0-9_-]{1,63}$/.test(label));
  must(read.name === (isHost ? text.join('.') : null), 'another name', read.name, text);
  must(read.type === bytes.readUInt16BE(labels.next), 'another type', read);
  must(read.internet === (bytes.readUInt16BE(labels.next + 2) === 1), 'another class', read);
  must(read.bytes.equals(bytes.subarray(12, labels.next + 4)), 'other bytes of the question', read);
  must(bytes.readUInt16BE(4) === 1 && bytes.readUInt16BE(6) === 0, 'not one question', read);
  const addresses = [Buffer.from([127, 64, 0, 9]), Buffer.from([127, 64, 0, 8])].slice(0, read.type === 1 ? 2 : 0);
  const answer = writeAnswer(read, 'NOERROR', addresses, 5);
  must(
    answer.readUInt16BE(0) === bytes.readUInt16BE(0) && (answer.readUInt16BE(2) & 0x800f) === 0x8000,
    'another head',
    answer,
  );
  must(answer.subarray(12, 12 + read.bytes.length).equals(read.bytes), 'the answer repeats another question', answer);
  must(answer.readUInt16BE(6) === addresses.length, 'another number of answers', answer);
  let at = 12 + read.bytes.length;
  for (const address of addresses) {
    const pointed = labelsAt(answer, answer.readUInt16BE(at) & 0x3fff);
    must(pointed !== null && pointed.labels.join('.') === labels.labels.join('.'), 'the answer is about another name');
    must(answer.subarray(at + 12, at + 16).equals(address), 'another address', answer);
    at += 16;
  }
  must(at + (read.extended ? 11 : 0) === answer.length, 'bytes behind the answer', answer);
}

/** RFC 1035 §3.1: labels up to the empty one. */
function labelsAt(bytes: Buffer, from: number): { labels: Buffer[]; next: number } | null {
  const labels: Buffer[] = [];
  let at = from;
  for (let length = bytes[at]; length !== 0; length = bytes[at]) {
    if (length === undefined || length > 63 || at + 1 + length > bytes.length) return null;
    labels.push(bytes.subarray(at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { labels, next: at + 1 };
}

function query(name: string, type: number, more = ''): Uint8Array {
  const head = Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, more === '' ? 0 : 1]);
  return Buffer.concat([head, Buffer.from(name, 'latin1'), Buffer.from([0, type, 0, 1]), Buffer.from(more, 'latin1')]);
}
