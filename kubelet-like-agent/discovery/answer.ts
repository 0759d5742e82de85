/** What a question is answered with. Pure: the question, the services that there are, and the order that chance gave them. */
import { isIP } from 'node:net';
import { AUTHORITATIVE_ANSWER, encodingLength, type Answer, type Packet, type Question } from 'dns-packet';
import { nameOfAddress, readName, type Asked } from './names.ts';

export interface Instance {
  readonly address: string;
  readonly port: number;
  readonly tags: readonly string[];
  readonly healthy: boolean;
}

export interface Zone {
  readonly domain: string;
  readonly ttlSeconds: number;
  /** Every instance of a service, healthy or not; undefined while the services of the cluster are not known yet. */
  readonly instances: (service: string, namespace: string) => readonly Instance[] | undefined;
  /** Puts instances into another order each time, so that clients that take the first one spread. */
  readonly shuffle: <T>(items: readonly T[]) => T[];
}

const codes = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 };
export type Code = keyof typeof codes;

/** The answer to a packet; undefined where silence is the answer. */
export function answer(query: Packet, zone: Zone): Packet | undefined {
  if (query.type !== 'query') return undefined;
  if (opcodeOf(query) !== 0) return reply(query, 'NOTIMP', {});
  const [question, ...more] = query.questions ?? [];
  if (question === undefined || more.length > 0) return reply(query, 'FORMERR', {});
  if (question.class !== 'IN') return reply(query, 'REFUSED', {});
  const asked = readName(question.name, zone.domain);
  if (asked.kind === 'foreign') return reply(query, 'REFUSED', {});
  const found = recordsOf(asked, question, zone);
  if (typeof found === 'string') return reply(query, found, found === 'NXDOMAIN' ? { authorities: [soa(zone)] } : {});
  return reply(query, 'NOERROR', found.answers.length > 0 ? found : { authorities: [soa(zone)] });
}

/** Says why there is no answer. */
export function reply(query: Packet, code: Code, records: Pick<Packet, 'answers' | 'authorities' | 'additionals'>): Packet {
  const { id, flags = 0, questions = [] } = query;
  const opt = query.additionals?.some(({ type }) => type === 'OPT') === true;
  return {
    type: 'response',
    ...(id !== undefined && { id }),
    // Recursion is what this server does not offer; that it was wished for is repeated.
    flags: (code === 'REFUSED' ? 0 : AUTHORITATIVE_ANSWER) | (flags & RECURSION_WISHED) | (flags & OPCODE) | codes[code],
    // Never more than one is answered; to repeat the rest would let somebody have large packets sent to others.
    questions: questions.length === 1 ? questions : [],
    ...records,
    additionals: [...(records.additionals ?? []), ...(opt ? [optRecord] : [])],
  };
}

const RECURSION_WISHED = 1 << 8;
const OPCODE = 0x7800;
const TRUNCATED = 1 << 9;
const opcodeOf = ({ flags = 0 }: Packet): number => (flags & OPCODE) >> 11;

/** What an answer over UDP may have: it is fragmented by no network of today. */
export const UDP_LIMIT = 1232;
const optRecord: Answer = { type: 'OPT', name: '.', udpPayloadSize: UDP_LIMIT, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] }; // prettier-ignore

/** How long an answer over UDP may be: 512 bytes unless the asker can take more. */
export function udpLimit(query: Packet): number {
  const opt = query.additionals?.find((record) => record.type === 'OPT');
  const offered = opt?.type === 'OPT' ? opt.udpPayloadSize : 0;
  return Math.min(UDP_LIMIT, Math.max(512, offered));
}

/** The packet cut to `limit` bytes: what only saves another question goes first, then answers, which the truncated flag tells. */
export function fit(packet: Packet, limit: number): Packet {
  if (encodingLength(packet) <= limit) return packet;
  const additionals = (packet.additionals ?? []).filter(({ type }) => type === 'OPT');
  const whole = packet.answers ?? [];
  const withAnswers = (count: number): Packet => ({ ...packet, answers: whole.slice(0, count), additionals });
  if (encodingLength(withAnswers(whole.length)) <= limit) return withAnswers(whole.length);
  let [fits, fitsNot] = [0, whole.length];
  while (fitsNot - fits > 1) {
    const half = (fits + fitsNot) >> 1;
    if (encodingLength(withAnswers(half)) <= limit) fits = half;
    else fitsNot = half;
  }
  return { ...withAnswers(fits), flags: (packet.flags ?? 0) | TRUNCATED };
}

interface Records {
  readonly answers: Answer[];
  readonly additionals?: Answer[];
}

function recordsOf(asked: Exclude<Asked, { kind: 'foreign' }>, question: Question, zone: Zone): Records | Code {
  const { name, type } = question as { name: string; type: string };
  const ttl = zone.ttlSeconds;
  switch (asked.kind) {
    case 'nothing':
      return 'NXDOMAIN';
    case 'empty':
      return { answers: type === 'SOA' && isApex(name, zone) ? [soa(zone)] : [] };
    case 'address':
      return { answers: addressRecords(name, type, [asked.address], ttl) };
    case 'service': {
      const all = zone.instances(asked.service, asked.namespace);
      if (all === undefined) return 'SERVFAIL';
      const named = all.filter(({ tags }) => asked.tag === undefined || tags.some((tag) => tag.toLowerCase() === asked.tag));
      if (named.length === 0) return 'NXDOMAIN';
      // A service none of whose instances is healthy exists, and has no addresses now.
      const healthy = zone.shuffle(named.filter((instance) => instance.healthy));
      if (type === 'SRV') return srvRecords(name, healthy, zone);
      const addresses = [...new Set(healthy.map(({ address }) => address))];
      const host = addresses.find((address) => isIP(address) === 0);
      if (host !== undefined && addresses.every((address) => isIP(address) === 0))
        return { answers: ['A', 'AAAA', 'CNAME', 'ANY'].includes(type) ? [{ type: 'CNAME', name, ttl, data: host }] : [] };
      return { answers: addressRecords(name, type, addresses, ttl) };
    }
  }
}

const isApex = (name: string, { domain }: Zone): boolean => name.toLowerCase().replace(/\.$/, '') === domain;

function addressRecords(name: string, type: string, addresses: readonly string[], ttl: number): Answer[] {
  return addresses.flatMap((address): Answer[] => {
    const kind = isIP(address) === 4 ? 'A' : isIP(address) === 6 ? 'AAAA' : undefined;
    return kind !== undefined && (type === kind || type === 'ANY') ? [{ type: kind, name, ttl, data: address }] : [];
  });
}

function srvRecords(name: string, instances: readonly Instance[], zone: Zone): Records {
  const ttl = zone.ttlSeconds;
  const targets = new Map(instances.map(({ address }) => [address, isIP(address) === 0 ? address : nameOfAddress(address, zone.domain)])); // prettier-ignore
  return {
    answers: instances.map(({ address, port }) => ({
      type: 'SRV',
      name,
      ttl,
      data: { priority: 1, weight: 1, port, target: targets.get(address)! },
    })),
    additionals: [...targets].flatMap(([address, target]) => addressRecords(target, 'ANY', [address], ttl)),
  };
}

/** Its minimum is how long "there is no such name" may be remembered. */
const soa = ({ domain, ttlSeconds }: Zone): Answer => ({
  type: 'SOA',
  name: domain,
  ttl: ttlSeconds,
  data: { mname: `ns.${domain}`, rname: `hostmaster.${domain}`, serial: 1, refresh: 3600, retry: 600, expire: 86400, minimum: ttlSeconds },
}); // prettier-ignore
