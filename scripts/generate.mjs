// Turns crds/*.yaml into openapi/: openapi.json (what the API server serves and validates with), types.ts (openapi-typescript)
// and kinds.ts (one typed descriptor per kind); writes the tables of commands (commands.mjs), and the commands into docs/cli. With
// --check it writes nothing and fails when a file is stale.
import { readFileSync, writeFileSync, readdirSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import openapiTS, { astToString } from 'openapi-typescript';
import * as prettier from 'prettier';
import { parse } from 'yaml';
import { commandTables } from './commands.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const PREFIX = 'dev.orch.v1.';
const ref = (name) => ({ $ref: `#/components/schemas/${PREFIX}${name}` });
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

/** Keywords a property schema may carry; anything else is a typing error in the YAML (an unquoted comma, say). */
const KEYWORDS = new Set([
  'type', 'description', 'properties', 'items', 'additionalProperties', 'required', 'enum', 'default', 'format', 'minimum', 'maximum',
  'pattern', 'minLength', 'maxLength', 'minItems', 'maxItems', 'nullable', 'x-kubernetes-list-type', 'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type', 'x-kubernetes-preserve-unknown-fields', 'x-kubernetes-int-or-string', 'x-orch-type', 'x-orch-ref', 'x-orch-sensitive',
]); // prettier-ignore

const schemas = {};
const kinds = [];

/** Moves every schema that carries x-orch-type into components and leaves a reference, so that TypeScript gets a name for it. */
function hoist(schema, at) {
  for (const key of Object.keys(schema)) if (!KEYWORDS.has(key)) throw new Error(`${at}: unknown keyword ${JSON.stringify(key)}`);
  if (schema['x-orch-ref']) return ref(schema['x-orch-ref']);
  const out = { ...schema };
  const name = out['x-orch-type'];
  delete out['x-orch-type'];
  if (out.properties) {
    out.properties = Object.fromEntries(Object.entries(out.properties).map(([k, v]) => [k, hoist(v, `${at}.${k}`)]));
  }
  if (out.items) out.items = hoist(out.items, `${at}[]`);
  if (out.additionalProperties && typeof out.additionalProperties === 'object') {
    out.additionalProperties = hoist(out.additionalProperties, `${at}{}`);
  }
  if (out['x-kubernetes-preserve-unknown-fields'] && !out.properties) out.additionalProperties = true;
  if (!name) return out;
  const known = schemas[PREFIX + name];
  if (known && JSON.stringify(known) !== JSON.stringify(out)) throw new Error(`${at}: two different schemas are called ${name}`);
  schemas[PREFIX + name] = out;
  return ref(name);
}

const string = (description, more = {}) => ({ type: 'string', description, ...more });
const map = (description) => ({ type: 'object', description, additionalProperties: { type: 'string' } });
schemas[`${META}OwnerReference`] = {
  type: 'object',
  description: 'An object that this one belongs to; it is removed when all its owners are gone.',
  required: ['apiVersion', 'kind', 'name', 'uid'],
  properties: {
    apiVersion: string('Group and version of the owner.'),
    kind: string('Kind of the owner.'),
    name: string('Name of the owner.'),
    uid: string('uid of the owner.'),
    controller: { type: 'boolean', description: 'Whether the owner manages this object; at most one does.' },
    blockOwnerDeletion: { type: 'boolean', description: 'Whether a foreground deletion of the owner waits for this object.' },
  },
};
schemas[`${META}ObjectMeta`] = {
  type: 'object',
  description: 'What every object has.',
  properties: {
    name: string('Unique among the kind and namespace. Cannot change.'),
    generateName: string('A prefix; used when name is empty.'),
    namespace: string('The scope of the name. Empty for kinds of the cluster.'),
    uid: string('Tells the object from earlier and later ones of the same name. Kept by the server.'),
    resourceVersion: string('The store revision of the last change. Kept by the server; sent back, it guards an update.'),
    generation: { type: 'integer', format: 'int64', description: 'Rises with every change outside metadata and status.' },
    creationTimestamp: string('When it was created.', { format: 'date-time', nullable: true }),
    deletionTimestamp: string('When its deletion was asked for; it goes once finalizers is empty.', { format: 'date-time' }),
    deletionGracePeriodSeconds: { type: 'integer', format: 'int64', description: 'The grace period of the deletion.' },
    labels: map('Key-value pairs that selectors can choose by.'),
    annotations: map('Key-value pairs that nothing selects by.'),
    finalizers: {
      type: 'array',
      items: { type: 'string' },
      description: 'Who must act before the object may go.',
      'x-kubernetes-list-type': 'set',
    },
    ownerReferences: {
      type: 'array',
      items: { $ref: `#/components/schemas/${META}OwnerReference` },
      description: 'The objects that this one belongs to.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['uid'],
    },
    managedFields: {
      type: 'array',
      items: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, additionalProperties: true },
      description: 'Who last set which field.',
      'x-kubernetes-list-type': 'atomic',
    },
  },
};

schemas[`${PREFIX}Condition`] = {
  type: 'object',
  description: 'One observation in the usual Kubernetes form.',
  required: ['type', 'status'],
  properties: {
    type: string('The claim, in CamelCase.'),
    status: string('Whether it holds.', { enum: ['True', 'False', 'Unknown'] }),
    reason: string('A CamelCase word for programs.'),
    message: string('A sentence for people.'),
    lastTransitionTime: string('When status last changed.', { format: 'date-time' }),
    observedGeneration: { type: 'integer', description: 'The generation that was looked at.' },
  },
};

const sources = [];
for (const file of readdirSync(join(root, 'crds'))
  .filter((f) => f.endsWith('.yaml'))
  .sort()) {
  const crd = parse(readFileSync(join(root, 'crds', file), 'utf8'), { maxAliasCount: -1 });
  sources.push(crd);
  const { group, names, scope, versions } = crd.spec;
  for (const { name: version, schema } of versions) {
    const top = schema.openAPIV3Schema;
    const body = hoist({ ...top, properties: top.properties ?? {} }, names.kind);
    schemas[PREFIX + names.kind] = {
      ...body,
      required: ['metadata', ...(body.required ?? [])],
      'x-kubernetes-group-version-kind': [{ group, version, kind: names.kind }],
      properties: {
        apiVersion: string('Group and version of the schema.'),
        kind: string('The kind.'),
        metadata: { allOf: [{ $ref: `#/components/schemas/${META}ObjectMeta` }], description: 'Standard metadata.' },
        ...body.properties,
      },
    };
    kinds.push({ group, version, scope, names });
  }
}

const openapi = {
  openapi: '3.0.0',
  info: { title: 'orch', version: 'v1' },
  paths: {},
  components: { schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))) },
};

const header = '// Generated from crds/ by `npm run generate`. Do not edit.\n\n';
const ast = await openapiTS(structuredClone(openapi), { immutable: false });
const types = header + astToString(ast);

const short = Object.keys(schemas).filter((n) => n.startsWith(PREFIX)).map((n) => n.slice(PREFIX.length)).sort(); // prettier-ignore
let kindsTs = `${header}import type { components } from './types.ts';
import { defineKind } from './kind.ts';

type Schemas = components['schemas'];
export type ObjectMeta = Schemas['${META}ObjectMeta'];
export type OwnerReference = Schemas['${META}OwnerReference'];
`;
for (const name of short) {
  kindsTs += `export type ${name} = Schemas['${PREFIX}${name}'];\n`;
}
kindsTs += '\n';
for (const { group, version, scope, names } of kinds) {
  kindsTs += `export const ${names.kind}Kind = defineKind<${names.kind}>(${JSON.stringify({ group, version, kind: names.kind, listKind: names.listKind, plural: names.plural, singular: names.singular, shortNames: names.shortNames ?? [], namespaced: scope === 'Namespaced' })});\n`;
}
kindsTs += `\n/** Every built-in kind. */\nexport const builtinKinds = [${kinds.map((k) => `${k.names.kind}Kind`).join(', ')}] as const;\n`;

const options = await prettier.resolveConfig(join(root, 'openapi', 'x.ts'));
const outputs = {
  'openapi/openapi.json': JSON.stringify(openapi, null, 1) + '\n',
  'openapi/crds.json': JSON.stringify(sources, null, 1) + '\n',
  'openapi/types.ts': await prettier.format(types, { ...options, parser: 'typescript' }),
  'openapi/kinds.ts': await prettier.format(kindsTs, { ...options, parser: 'typescript' }),
};

for (const [file, text] of Object.entries(
  await commandTables(root, { 'ctl/commands': '../command.ts', 'bin/commands': '../../ctl/index.ts' }),
))
  outputs[file] = await prettier.format(text, { ...options, parser: 'typescript' });

const checking = process.argv.includes('--check');
let stale = 0;
for (const [file, text] of Object.entries(outputs)) settle(file, text);

// The reference of the command line, from the commands that the tables name by now.
await build({
  absWorkingDir: root,
  entryPoints: ['bin/manual.ts'],
  outfile: 'build/manual.mjs',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  logLevel: 'warning',
});
const { pages } = await import(pathToFileURL(join(root, 'build/manual.mjs')).href);
mkdirSync(join(root, 'docs/cli'), { recursive: true });
for (const [name, text] of Object.entries(pages)) settle(`docs/cli/${name}`, text);
for (const name of readdirSync(join(root, 'docs/cli'))) {
  if (Object.hasOwn(pages, name)) continue;
  stale++;
  if (checking) console.error(`docs/cli/${name} is of no command: run npm run generate`);
  else rmSync(join(root, 'docs/cli', name));
}
if (checking && stale > 0) process.exit(1);

/** Writes a file that is not as it should be, or tells. */
function settle(file, text) {
  const path = join(root, file);
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return;
  stale++;
  if (checking) console.error(`${file} is stale: run npm run generate`);
  else {
    writeFileSync(path, text);
    console.log(`wrote ${file}`);
  }
}
