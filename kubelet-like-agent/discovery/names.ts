import { isIP } from 'node:net';

/** What a DNS name below the domain asks for. */
export type Asked =
  | { readonly kind: 'service'; readonly service: string; readonly namespace: string; readonly tag?: string }
  /** The name of an address, which answers of type SRV refer to. */
  | { readonly kind: 'address'; readonly address: string }
  /** It exists and has no addresses: the domain itself, and what only holds names. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'nothing' }
  /** Not ours to answer. */
  | { readonly kind: 'foreign' };

/**
 * `<service>.<namespace>.service.<domain>`, with tags of the service in front, or `<service>.service.<domain>` for the namespace `default`. In
 * front of the namespace, programs that look for SRV records by convention may also write `_<service>._<tag>`, where `_tcp` and `_udp` are no tags.
 * Names are compared in lower case.
 */
export function readName(name: string, domain: string): Asked {
  const labels = name.toLowerCase().replace(/\.$/, '').split('.');
  const zone = domain.toLowerCase().split('.');
  if (labels.length < zone.length || !labels.slice(-zone.length).every((label, i) => label === zone[i]))
    return { kind: 'foreign' };
  const inside = labels.slice(0, -zone.length);
  const type = inside.pop();
  if (type === undefined) return { kind: 'empty' };
  if (type === 'addr') {
    if (inside.length === 0) return { kind: 'empty' };
    const address = inside.length === 1 ? addressOf(inside[0]!) : undefined;
    return address === undefined ? { kind: 'nothing' } : { kind: 'address', address };
  }
  if (type !== 'service') return { kind: 'nothing' };
  if (inside.length === 0) return { kind: 'empty' };
  if (inside[0]!.startsWith('_')) return byConvention(inside);
  if (inside.length === 1) return { kind: 'service', service: inside[0]!, namespace: 'default' };
  const [service, namespace] = inside.slice(-2) as [string, string];
  const tag = inside.slice(0, -2).join('.');
  return { kind: 'service', service, namespace, ...(tag !== '' && { tag }) };
}

function byConvention([first = '', second = '', ...rest]: readonly string[]): Asked {
  if (!second.startsWith('_') || rest.length > 1) return { kind: 'nothing' };
  const tag = second.slice(1);
  return {
    kind: 'service',
    service: first.slice(1),
    namespace: rest[0] ?? 'default',
    ...(tag !== 'tcp' && tag !== 'udp' && { tag }),
  };
}

/** The name of an address: its bytes in hex, so that it can be answered by whoever is asked. */
export function nameOfAddress(address: string, domain: string): string {
  const bytes = isIP(address) === 4 ? address.split('.').map(Number) : bytesOf6(address);
  return `${bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('')}.addr.${domain}`;
}

function addressOf(label: string): string | undefined {
  if (/^[0-9a-f]{8}$/.test(label)) return label.match(/../g)!.map((byte) => parseInt(byte, 16)).join('.'); // prettier-ignore
  return /^[0-9a-f]{32}$/.test(label) ? label.match(/.{4}/g)!.map((word) => parseInt(word, 16).toString(16)).join(':') : undefined; // prettier-ignore
}

function bytesOf6(address: string): number[] {
  // The URL parser writes any form as words in hex, with at most one `::`.
  const [head = '', tail] = new URL(`http://[${address.split('%')[0]!}]`).hostname.slice(1, -1).split('::');
  const words = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const [before, after] = [words(head), words(tail ?? '')];
  const all =
    tail === undefined ? before : [...before, ...new Array<string>(8 - before.length - after.length).fill('0'), ...after];
  return all.flatMap((word) => [parseInt(word, 16) >> 8, parseInt(word, 16) & 0xff]);
}
