import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parse } from 'yaml';

const root = fileURLToPath(new URL('../../../', import.meta.url));

interface Schema {
  readonly description?: string;
  readonly 'x-orch-ref'?: string;
  readonly 'x-orch-type'?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
}

t.test('every field of every kind says what it is', async (t) => {
  for (const file of readdirSync(`${root}crds`)) {
    const crd = parse(readFileSync(`${root}crds/${file}`, 'utf8'), { maxAliasCount: -1 }) as {
      spec: { names: { kind: string }; versions: { schema: { openAPIV3Schema: Schema } }[] };
    };
    const silent: string[] = [];
    const walk = (schema: Schema, path: string): void => {
      for (const [name, property] of Object.entries(schema.properties ?? {})) {
        const at = `${path}.${name}`;
        if (property['x-orch-ref'] === undefined && (property.description ?? '').trim() === '') silent.push(at);
        walk(property, at);
      }
      if (schema.items !== undefined) walk(schema.items, `${path}[]`);
      if (typeof schema.additionalProperties === 'object') walk(schema.additionalProperties, `${path}{}`);
    };
    for (const version of crd.spec.versions) walk(version.schema.openAPIV3Schema, crd.spec.names.kind);
    t.same([...new Set(silent)], [], file);
  }
});

t.test('what is generated from the kinds is up to date', async (t) => {
  t.doesNotThrow(() => execFileSync(process.execPath, ['scripts/generate.mjs', '--check'], { cwd: root, stdio: 'pipe' }));
});
