import { job as jobSchema, type BlockSchema, type Field } from '../../jobspec/job/schema.ts';
import type { Job } from '../../openapi/index.ts';

/** A source of numbers that gives the same ones for the same seed. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

type Fields = Record<string, unknown>;

/**
 * Any job that a job file can say, walked from the table of the job file: every block and field turns up. Values that the language itself settles (a policy's
 * type that goes with its label, a template's change mode) are those that it settles on.
 */
export function randomJob(seed: number): Job {
  const next = random(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)]!;
  const chance = (p: number): boolean => next() < p;

  const text = (): string => pick(TEXTS);
  const whole = (): number => pick([0, 1, 3, 42, 65535, 1_000_000, -1]);
  const key = (): string => pick(['a', 'B_c', 'with-dash', 'with.dot', 'with space', 'é']);
  const map = (value: () => unknown): Fields =>
    Object.fromEntries(Array.from({ length: 1 + Math.floor(next() * 3) }, () => [key(), value()] as const));
  const list = (value: () => unknown): unknown[] => Array.from({ length: Math.floor(next() * 3) }, value);
  const free = (depth: number): Fields => {
    const value = (): unknown => {
      const kinds = [text, whole, () => chance(0.5), () => 1.5, () => list(text)];
      return depth > 0 && chance(0.3) ? Array.from({ length: 1 + Math.floor(next() * 2) }, () => free(depth - 1)) : pick(kinds)();
    };
    return Object.fromEntries(
      Array.from({ length: 1 + Math.floor(next() * 3) }, () => [pick(['image', 'args', 'x_y', 'port_map']), value()] as const),
    );
  };

  const value = (field: Field, depth: number): unknown => {
    switch (field.kind) {
      case 'string':
        return text();
      case 'int':
        return whole();
      case 'bool':
        return chance(0.5);
      case 'duration':
        return pick(['0s', '10s', '1h30m', '1.5s', '250ms', '72h']);
      case 'strings':
        return list(text);
      case 'ints':
        return list(whole);
      case 'map':
        return map(text);
      case 'lists':
        return map(() => list(text));
      case 'free':
        return free(2);
      case 'block':
        return block(field.schema, depth + 1);
      case 'blocks': {
        if (field.name === 'scalings') return [{ ...block(field.schema, depth + 1), type: 'vertical_cpu', max: 3 }];
        const items = Array.from({ length: 1 + Math.floor(next() * 2) }, (_, i) => {
          const item = block(field.schema, depth + 1);
          const { label } = field.schema;
          return label === undefined ? item : { [label.name]: `${label.name}${i}`, ...item };
        });
        return items;
      }
    }
  };

  const block = (schema: BlockSchema, depth: number): Fields => {
    const often = depth < 2 ? 0.5 : 0.35;
    const out: Fields = {};
    for (const field of schema.fields) {
      if (field.required !== true && !chance(field.kind === 'blocks' && depth < 2 ? 0.8 : often)) continue;
      out[field.name] = value(field, depth);
    }
    return { ...out, ...settled(schema, out) };
  };

  const settled = (schema: BlockSchema, fields: Fields): Fields => {
    if (schema.form !== undefined) return { attribute: '${attr.kernel.name}', value: 'x', operator: pick(['=', '!=', 'regexp']) };
    switch (schema.name) {
      case 'Template':
        return { changeMode: 'noop', splay: '1s', perms: '0600' };
      case 'Vault':
        return { env: true, changeMode: 'noop' };
      case 'ScalingPolicy':
        return { type: 'horizontal' };
      case 'Port':
        return fields.static === 0 || fields.static === -1 ? { static: 80 } : {};
      default:
        return {};
    }
  };

  const { name: _name, ...spec } = block(jobSchema, 0);
  return { apiVersion: 'orch.dev/v1', kind: 'Job', metadata: { name: `job-${seed}` }, spec };
}

const TEXTS = [
  'x',
  'two words',
  'a "quoted" \\ text',
  '${attr.cpu.arch}',
  '${NOMAD_ALLOC_DIR}/x',
  '%{ if x }',
  '$${not}',
  'first line\nsecond line\n',
  '  indented\n\ttab\n',
  'héllo ☃ 日本',
  '100%',
  '#!/bin/sh\necho "$HOME" > /tmp/x\n',
] as const;
