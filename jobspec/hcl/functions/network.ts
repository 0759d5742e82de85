import { isIPv4, isIPv6 } from 'node:net';
import { ArgumentError, type HclFunction } from '../evaluate.ts';
import { STRING, list, string } from '../value.ts';
import { decimal, define, integer, p, text } from './define.ts';
import { toBigInt } from '../big-float.ts';

export const network: Record<string, HclFunction> = {
  cidrhost: define([p.string('prefix'), p.number('hostnum')], ([prefix, hostnum]) => {
    integer(hostnum);
    const n = toBigInt(decimal(hostnum)) ?? 0n;
    const net = parseCidr(text(prefix));
    const size = 1n << BigInt(net.bits - net.length);
    const host = n < 0n ? size + n : n;
    if (n >= size || -n > size) throw new Error(`prefix of ${net.length} does not accommodate a host numbered ${host}`);
    return string(formatAddress(net.base + host, net.bits));
  }),
  cidrnetmask: define([p.string('prefix')], ([prefix]) => {
    const net = parseCidr(text(prefix));
    if (net.bits !== 32) throw new Error('IPv6 addresses cannot have a netmask');
    return string(formatAddress(((1n << 32n) - 1n) ^ ((1n << BigInt(32 - net.length)) - 1n), 32));
  }),
  cidrsubnet: define([p.string('prefix'), p.number('newbits'), p.number('netnum')], ([prefix, newbits, netnum]) => {
    const extra = integer(newbits);
    integer(netnum);
    const n = toBigInt(decimal(netnum)) ?? 0n;
    const net = parseCidr(text(prefix));
    if (extra > 32) throw new Error('may not extend prefix by more than 32 bits');
    const length = net.length + extra;
    if (length > net.bits) {
      throw new Error(`insufficient address space to extend prefix of ${net.length} by ${extra}`);
    }
    const count = 1n << BigInt(extra);
    if (n >= count || n < 0n) throw new Error(`prefix extension of ${extra} does not accommodate a subnet numbered ${n}`);
    return string(`${formatAddress(net.base + (n << BigInt(net.bits - length)), net.bits)}/${length}`);
  }),
  cidrsubnets: define(
    [p.string('prefix')],
    ([prefix, ...newbits]) => {
      const net = parseCidr(text(prefix), 0);
      const end = net.base + (1n << BigInt(net.bits - net.length));
      let next = net.base;
      let last = text(prefix);
      return list(
        STRING,
        newbits.map((bits, i) => {
          const wrong = (why: string): Error => new ArgumentError(i + 1, why);
          const extra = integer(bits);
          if (extra < 1) throw wrong('must extend prefix by at least one bit');
          if (extra > 32) throw wrong('may not extend prefix by more than 32 bits');
          const length = net.length + extra;
          const protocol = net.bits === 32 ? 'IPv4' : 'IPv6';
          if (length > net.bits)
            throw wrong(`would extend prefix to ${length} bits, which is too long for an ${protocol} address`);
          const size = 1n << BigInt(net.bits - length);
          const base = ((next + size - 1n) / size) * size;
          if (base + size > end)
            throw wrong(`not enough remaining address space for a subnet with a prefix of ${length} bits after ${last}`);
          next = base + size;
          last = `${formatAddress(base, net.bits)}/${length}`;
          return string(last);
        }),
      );
    },
    p.number('newbits'),
  ),
};

interface Cidr {
  readonly base: bigint;
  readonly length: number;
  readonly bits: 32 | 128;
}

function parseCidr(s: string, argument?: number): Cidr {
  const why = `invalid CIDR expression: invalid CIDR address: ${s}`;
  const invalid = argument === undefined ? new Error(why) : new ArgumentError(argument, why);
  const match = /^([0-9a-fA-F.:]+)\/(\d{1,3})$/.exec(s);
  if (match === null) throw invalid;
  const bits = isIPv4(match[1]!) ? 32 : isIPv6(match[1]!) ? 128 : undefined;
  const length = Number(match[2]);
  if (bits === undefined || length > bits) throw invalid;
  const address = bits === 32 ? parse4(match[1]!) : parse6(match[1]!);
  const host = BigInt(bits - length);
  return { base: (address >> host) << host, length, bits };
}

const parse4 = (s: string): bigint => s.split('.').reduce((n, part) => (n << 8n) | BigInt(part), 0n);

function parse6(s: string): bigint {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(s);
  const plain =
    dotted === null
      ? s
      : `${dotted[1]!}${(parse4(dotted[2]!) >> 16n).toString(16)}:${(parse4(dotted[2]!) & 0xffffn).toString(16)}`;
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].reduce((n, part) => (n << 16n) | BigInt(`0x${part}`), 0n);
}

function formatAddress(address: bigint, bits: 32 | 128): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => String((address >> shift) & 255n)).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((address >> BigInt(112 - i * 16)) & 0xffffn).toString(16));
  // The longest run of zeros (of two or more) is written as "::".
  let best = { at: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (groups[i + length] === '0') length++;
    if (length > best.length) best = { at: i, length };
  }
  if (best.at === -1) return groups.join(':');
  return `${groups.slice(0, best.at).join(':')}::${groups.slice(best.at + best.length).join(':')}`;
}
