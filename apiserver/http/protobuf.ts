import { badRequest } from '../registry/errors.ts';

/**
 * Reads the few messages that Kubernetes' own clients send as protobuf and no other way: kubectl asks for reviews and creates namespaces
 * so, and clients written in Go may be set to it for leases. Answers are JSON, which all of them take. Messages are tables: the number
 * of a field, its name in JSON, and what it holds.
 */

type Type = 'string' | 'int' | 'bool' | 'strings' | 'map' | 'time' | Message | readonly [Message];
interface Message {
  readonly [field: number]: readonly [name: string, type: Type];
}

const MAGIC = Buffer.from('k8s\0');
const MAX_FIELDS = 10_000;

const ownerReference: Message = { 1: ['kind', 'string'], 3: ['name', 'string'], 4: ['uid', 'string'], 5: ['apiVersion', 'string'], 6: ['controller', 'bool'], 7: ['blockOwnerDeletion', 'bool'] }; // prettier-ignore
const metadata: Message = {
  1: ['name', 'string'],
  2: ['generateName', 'string'],
  3: ['namespace', 'string'],
  5: ['uid', 'string'],
  6: ['resourceVersion', 'string'],
  11: ['labels', 'map'],
  12: ['annotations', 'map'],
  13: ['ownerReferences', [ownerReference]],
  14: ['finalizers', 'strings'],
};
const attributes: Message = { 1: ['namespace', 'string'], 2: ['verb', 'string'], 3: ['group', 'string'], 4: ['version', 'string'], 5: ['resource', 'string'], 6: ['subresource', 'string'], 7: ['name', 'string'] }; // prettier-ignore
const leaseSpec: Message = { 1: ['holderIdentity', 'string'], 2: ['leaseDurationSeconds', 'int'], 3: ['acquireTime', 'time'], 4: ['renewTime', 'time'], 5: ['leaseTransitions', 'int'] }; // prettier-ignore

/** The messages by `apiVersion/kind`; fields that are not named here are passed over. */
const MESSAGES: Readonly<Record<string, Message>> = {
  'v1/Namespace': { 1: ['metadata', metadata], 2: ['spec', { 1: ['finalizers', 'strings'] }] },
  'coordination.k8s.io/v1/Lease': { 1: ['metadata', metadata], 2: ['spec', leaseSpec] },
  'authorization.k8s.io/v1/SelfSubjectAccessReview': {
    1: ['metadata', metadata],
    2: ['spec', { 1: ['resourceAttributes', attributes], 2: ['nonResourceAttributes', { 1: ['path', 'string'], 2: ['verb', 'string'] }] }], // prettier-ignore
  },
  'authorization.k8s.io/v1/SelfSubjectRulesReview': { 1: ['metadata', metadata], 2: ['spec', { 1: ['namespace', 'string'] }] },
  'authentication.k8s.io/v1/SelfSubjectReview': { 1: ['metadata', metadata] },
  'v1/DeleteOptions': {
    1: ['gracePeriodSeconds', 'int'],
    2: ['preconditions', { 1: ['uid', 'string'], 2: ['resourceVersion', 'string'] }],
    3: ['orphanDependents', 'bool'],
    4: ['propagationPolicy', 'string'],
    5: ['dryRun', 'strings'],
  },
};

/** The object of a protobuf body; undefined when it is of a kind that is not read so. Throws BadRequest for what is no such body. */
export function readProtobuf(bytes: Buffer): Record<string, unknown> | undefined {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw broken('it does not begin as a Kubernetes object does');
  const envelope = readMessage(
    bytes.subarray(MAGIC.length),
    { 1: ['type', { 1: ['apiVersion', 'string'], 2: ['kind', 'string'] }] },
    { count: 0 },
    2,
  );
  const { apiVersion = '', kind = '' } = (envelope['type'] ?? {}) as { apiVersion?: string; kind?: string };
  const message = MESSAGES[`${apiVersion}/${kind}`] ?? (kind === 'DeleteOptions' ? MESSAGES['v1/DeleteOptions'] : undefined);
  if (message === undefined) return undefined;
  return { apiVersion, kind, ...readMessage((envelope['raw'] as Buffer | undefined) ?? Buffer.alloc(0), message, { count: 0 }) };
}

const broken = (why: string): Error => badRequest(`the body is not valid protobuf: ${why}`);

/** The fields of a message. `raw` names a field whose bytes are wanted as they are. */
function readMessage(bytes: Buffer, message: Message, budget: { count: number }, raw?: number): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 63n) throw broken('a number does not end');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const piece = (): Buffer => {
    const length = Number(varint());
    if (length > bytes.length - at) throw broken('a field is longer than the message');
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    if (++budget.count > MAX_FIELDS) throw broken(`it has more than ${MAX_FIELDS} fields`);
    const tag = Number(varint());
    const field = tag >>> 3;
    const known = message[field];
    switch (tag & 7) {
      case 0: {
        const value = varint();
        if (known?.[1] === 'bool') out[known[0]] = value !== 0n;
        else if (known?.[1] === 'int') out[known[0]] = Number(BigInt.asIntN(64, value));
        break;
      }
      case 1:
      case 5:
        at += (tag & 7) === 1 ? 8 : 4;
        if (at > bytes.length) throw broken('a field is longer than the message');
        break;
      case 2: {
        const value = piece();
        if (field === raw) out['raw'] = value;
        else if (known !== undefined) put(out, known[0], known[1], value, budget);
        break;
      }
      default:
        throw broken(`a field has the unknown form ${tag & 7}`);
    }
  }
  return out;
}

function put(out: Record<string, unknown>, name: string, type: Type, bytes: Buffer, budget: { count: number }): void {
  if (type === 'string') out[name] = bytes.toString('utf8');
  else if (type === 'strings') out[name] = [...((out[name] as string[] | undefined) ?? []), bytes.toString('utf8')];
  else if (type === 'map') {
    const { key = '', value = '' } = readMessage(bytes, { 1: ['key', 'string'], 2: ['value', 'string'] }, budget) as { key?: string; value?: string }; // prettier-ignore
    out[name] = Object.fromEntries([...Object.entries((out[name] as object | undefined) ?? {}), [key, value]]);
  } else if (type === 'time') {
    const { seconds = 0, nanos = 0 } = readMessage(bytes, { 1: ['seconds', 'int'], 2: ['nanos', 'int'] }, budget) as { seconds?: number; nanos?: number }; // prettier-ignore
    const date = new Date(seconds * 1000 + Math.floor(nanos / 1e6));
    if (Number.isNaN(date.getTime())) throw broken('a time is out of range');
    out[name] = date.toISOString();
  } else if (type === 'int' || type === 'bool') throw broken(`${name} has the wrong form`);
  else if (Array.isArray(type)) {
    const [item] = type as unknown as readonly [Message];
    out[name] = [...((out[name] as unknown[] | undefined) ?? []), readMessage(bytes, item, budget)];
  } else out[name] = readMessage(bytes, type as Message, budget);
}
