import type { Block, Body, Expression } from '../hcl/ast.ts';
import type { Diagnostic } from '../hcl/diagnostic.ts';
import type { Range } from '../hcl/source.ts';
import { job as jobSchema, taskBlock, vaultBlock, type BlockSchema } from './schema.ts';

/**
 * The rules of the older grammar (HCL 1), in the order and the words in which its parser applies them: it stops at the first mistake and names the blocks
 * around it instead of a place. Users search the web for these sentences, so they are kept; the place is shown below.
 */
export function hcl1Problem(root: Body): Diagnostic | undefined {
  try {
    checkKeys(root, ['job'], '');
    const jobs = root.blocks.filter((b) => b.type === 'job');
    const job = jobs[0];
    if (job === undefined) throw new Problem(["'job' stanza not found"], undefined);
    inside("error parsing 'job':", () => {
      if (jobs.length > 1) throw new Problem(["only one 'job' block allowed"], jobs[1]!.headRange);
      if (job.labels.length === 0) throw new Problem(["'job' block missing name"], job.headRange);
      checkJob(job.body);
    });
  } catch (err) {
    if (!(err instanceof Problem)) throw err;
    const text = err.text();
    return { severity: 'error', summary: 'Invalid job file', detail: text, text, range: err.range };
  }
  return undefined;
}

class Problem extends Error {
  /** Several where one check found several, as unknown names. */
  readonly messages: string[];
  readonly range: Range | undefined;
  readonly several: boolean;
  heading = '';

  constructor(messages: string[], range: Range | undefined, several = false) {
    super(messages.join('; '));
    this.messages = messages;
    this.range = range;
    this.several = several;
  }

  text(): string {
    if (!this.several) return `${this.heading}${this.messages[0]!}`;
    const count = this.messages.length === 1 ? '1 error' : `${this.messages.length} errors`;
    return `${this.heading}${count} occurred:\n\t* ${this.messages.join('\n\t* ')}\n`;
  }
}

/** Puts the name of a block before the problems found in it. */
function inside(prefix: string, check: () => void): void {
  try {
    check();
  } catch (err) {
    if (err instanceof Problem && prefix !== '') {
      if (prefix.startsWith('error')) err.heading = `${prefix} `;
      else err.messages.forEach((message, i) => (err.messages[i] = `${prefix} ${message}`));
    }
    throw err;
  }
}

function checkKeys(body: Body, known: readonly string[], prefix: string): void {
  const keys = [
    ...[...body.attributes.values()].map((a) => ({ name: a.name, range: a.nameRange })),
    ...body.blocks.map((b) => ({ name: b.type, range: b.typeRange })),
  ];
  const unknown = keys.filter(({ name }) => !known.includes(name)).sort((a, b) => a.range.start - b.range.start);
  if (unknown.length === 0) return;
  inside(prefix, () => {
    throw new Problem(
      unknown.map(({ name }) => `invalid key: ${name}`),
      unknown[0]!.range,
      true,
    );
  });
}

const names = (schema: BlockSchema): string[] => schema.fields.map((f) => f.hcl);

function nested(schema: BlockSchema, name: string): BlockSchema {
  const field = schema.fields.find((f) => f.hcl === name);
  if (field?.kind !== 'block' && field?.kind !== 'blocks') throw new TypeError(`${schema.name} has no block ${name}`);
  return field.schema;
}

/** Blocks that hold nothing but values: only their names, and how often they may stand, are checked. */
function plain(body: Body, schema: BlockSchema, name: string, prefix: string, only?: string): void {
  const blocks = body.blocks.filter((b) => b.type === name);
  inside(prefix, () => {
    if (only !== undefined && blocks.length > 1) throw new Problem([only], blocks[1]!.headRange);
    for (const block of blocks) checkKeys(block.body, names(nested(schema, name)), '');
  });
}

function checkJob(body: Body): void {
  checkKeys(body, [...names(jobSchema), 'id', 'namespace', 'task', 'vault', 'vault_token', 'consul_token'], 'job:');
  plain(body, jobSchema, 'constraint', 'constraint ->');
  plain(body, jobSchema, 'affinity', 'affinity ->');
  plain(body, jobSchema, 'update', 'update ->', "only one 'update' block allowed");
  plain(body, jobSchema, 'periodic', 'periodic ->', "only one 'periodic' block allowed per job");
  checkSpreads(body);
  plain(body, jobSchema, 'parameterized', 'parameterized ->', "only one 'parameterized' block allowed per job");
  plain(body, jobSchema, 'reschedule', 'reschedule ->', "only one 'reschedule' block allowed");
  plain(body, jobSchema, 'migrate', 'migrate ->', "only one 'migrate' block allowed");
  checkMultiregion(body);
  inside('task:', () => checkTasks(body));
  inside('group:', () => checkGroups(body));
  checkVault(body, 'vault ->');
}

function checkSpreads(body: Body): void {
  const schema = nested(jobSchema, 'spread');
  for (const block of body.blocks.filter((b) => b.type === 'spread')) {
    inside('spread ->', () => {
      checkKeys(block.body, names(schema), '');
      inside('target ->', () => {
        for (const [label, target] of labelled(block.body, 'target', 'target'))
          checkKeys(target.body, ['percent', 'value'], `'${label}' ->`);
      });
    });
  }
}

/** Blocks by their label, each of which may stand once. */
function labelled(body: Body, type: string, what: string): Map<string, Block> {
  const found = new Map<string, Block>();
  for (const block of body.blocks) {
    const label = block.labels[0]?.value;
    if (block.type !== type || label === undefined) continue;
    if (found.has(label)) throw new Problem([`${what} '${label}' defined more than once`], block.headRange);
    found.set(label, block);
  }
  return found;
}

function checkMultiregion(body: Body): void {
  const blocks = body.blocks.filter((b) => b.type === 'multiregion');
  const [block] = blocks;
  if (block === undefined) return;
  const schema = nested(jobSchema, 'multiregion');
  inside('multiregion ->', () => {
    if (blocks.length > 1) throw new Problem(["only one 'multiregion' block allowed"], blocks[1]!.headRange);
    checkKeys(block.body, names(schema), '');
    plain(block.body, schema, 'strategy', 'strategy ->', "only one 'strategy' block allowed");
    const regions = block.body.blocks.filter((b) => b.type === 'region');
    if (regions.length === 0) throw new Problem(["'multiregion' requires one or more 'region' blocks"], block.headRange);
    inside('regions ->', () => {
      for (const [label, region] of labelled(block.body, 'region', 'region'))
        checkKeys(region.body, names(nested(schema, 'region')), `'${label}' ->`);
    });
  });
}

function checkGroups(body: Body): void {
  const schema = nested(jobSchema, 'group');
  for (const [name, { body: group }] of labelled(body, 'group', 'group')) {
    const own = `'${name}',`;
    checkKeys(group, [...names(schema), 'vault'], `'${name}' ->`);
    plain(group, schema, 'constraint', `${own} constraint ->`);
    plain(group, schema, 'consul', `${own} consul ->`, "only one 'consul' block allowed");
    plain(group, schema, 'affinity', `${own} affinity ->`);
    plain(group, schema, 'restart', `${own} restart ->`, "only one 'restart' block allowed");
    checkSpreads(group);
    checkNetwork(group);
    plain(group, schema, 'reschedule', `${own} reschedule ->`, "only one 'reschedule' block allowed");
    plain(group, schema, 'ephemeral_disk', `${own} ephemeral_disk ->`, "only one 'ephemeral_disk' block allowed");
    plain(group, schema, 'update', 'update ->', "only one 'update' block allowed");
    plain(group, schema, 'migrate', 'migrate ->', "only one 'migrate' block allowed");
    inside('scaling ->', () => checkGroupScaling(group));
    inside(`${own.slice(0, -1)}, task:`, () => checkTasks(group));
    checkVault(group, `${own} vault ->`);
    inside(own, () => checkServices(group));
  }
}

function checkVault(body: Body, prefix: string): void {
  const blocks = body.blocks.filter((b) => b.type === 'vault');
  inside(prefix, () => {
    if (blocks.length > 1) throw new Problem(["only one 'vault' block allowed per task"], blocks[1]!.headRange);
    if (blocks[0] !== undefined) checkKeys(blocks[0].body, names(vaultBlock), 'vault ->');
  });
}

function checkGroupScaling(group: Body): void {
  const blocks = group.blocks.filter((b) => b.type === 'scaling');
  const [block] = blocks;
  if (block === undefined) return;
  if (blocks.length > 1) throw new Problem(["only one 'scaling' block allowed"], blocks[1]!.headRange);
  if (block.labels.length > 0) throw new Problem(['task group scaling policy should not have a name'], block.labels[0]!.range);
  checkScaling(block);
  if (!block.body.attributes.has('max')) throw new Problem(["missing 'max'"], block.headRange);
  const type = text(block.body, 'type');
  if (type !== undefined && type !== '' && type !== 'horizontal')
    throw new Problem([`task group scaling policy had invalid type: ${JSON.stringify(type)}`], block.headRange);
}

function checkScaling(block: Block): void {
  checkKeys(block.body, ['min', 'max', 'policy', 'enabled', 'type'], '');
  const policies = block.body.blocks.filter((b) => b.type === 'policy');
  if (policies.length > 1) throw new Problem(["only one 'policy' block allowed per 'scaling' block"], policies[1]!.headRange);
}

function checkTasks(body: Body): void {
  for (const [name, block] of labelled(body, 'task', 'task')) inside(`'${name}',`, () => checkTask(block.body, taskBlock));
}

function checkTask(body: Body, schema: BlockSchema): void {
  checkKeys(body, names(schema), '');
  checkServices(body);
  only(body, 'csi_plugin', (count) => `csi_plugin -> Expected single stanza, got ${count}`);
  plain(body, schema, 'constraint', 'constraint ->');
  plain(body, schema, 'affinity', 'affinity ->');
  plain(body, schema, 'volume_mount', 'volume_mount ->');
  inside('resources ->', () => checkResources(body, schema));
  plain(body, schema, 'restart', 'restart ->', "only one 'restart' block allowed");
  only(body, 'logs', (count) => `only one logs block is allowed in a Task. Number of logs block found: ${count}`);
  plain(body, schema, 'logs', 'logs ->');
  plain(body, schema, 'artifact', 'artifact ->');
  plain(body, schema, 'template', 'template ->');
  checkTaskScalings(body);
  checkVault(body, 'vault ->');
  for (const name of ['dispatch_payload', 'lifecycle']) {
    only(body, name, (count) => `only one ${name} block is allowed in a task. Number of ${name} blocks found: ${count}`);
    plain(body, schema, name, `${name} ->`);
  }
}

function only(body: Body, name: string, message: (count: number) => string): void {
  const blocks = body.blocks.filter((b) => b.type === name);
  if (blocks.length > 1) throw new Problem([message(blocks.length)], blocks[1]!.headRange);
}

const SCALED: Readonly<Record<string, string>> = { cpu: 'vertical_cpu', mem: 'vertical_mem' };

function checkTaskScalings(body: Body): void {
  let prefix = 'scaling ->';
  const seen = new Set<string>();
  for (const block of body.blocks.filter((b) => b.type === 'scaling')) {
    const [label] = block.labels;
    inside(prefix, () => {
      if (label === undefined) throw new Problem(['task scaling policy missing name'], block.headRange);
      if (block.labels.length > 1) throw new Problem(['task scaling policy should only have one name'], block.labels[1]!.range);
    });
    const name = label!.value;
    prefix = `scaling[${name}] ->`;
    inside(prefix, () => {
      const wanted = SCALED[name.toLowerCase()];
      if (wanted === undefined) throw new Problem(['scaling policy name must be "cpu" or "mem"'], label!.range);
      if (seen.has(name)) throw new Problem(['scaling policy cannot be defined more than once'], block.headRange);
      seen.add(name);
      checkScaling(block);
      const type = text(block.body, 'type');
      if (type !== undefined && type !== '' && type !== wanted)
        throw new Problem([`policy had invalid 'type': ${JSON.stringify(type)}`], block.headRange);
    });
  }
}

function checkResources(body: Body, schema: BlockSchema): void {
  const blocks = body.blocks.filter((b) => b.type === 'resources');
  const [block] = blocks;
  if (block === undefined) return;
  const own = nested(schema, 'resources');
  if (blocks.length > 1) throw new Problem(["only one 'resource' block allowed per task"], blocks[1]!.headRange);
  checkKeys(block.body, names(own), 'resources ->');
  inside('resource,', () => checkNetwork(block.body));
  const devices = block.body.blocks.filter((b) => b.type === 'device');
  for (const [i, device] of devices.entries()) {
    const prefix = `resources, device[${i}]->`;
    inside(prefix, () => {
      if (device.labels.length === 0) throw new Problem(['missing device name'], device.headRange);
      if (device.labels.length > 1) throw new Problem(['only one name may be specified'], device.labels[1]!.range);
      checkKeys(device.body, [...names(nested(own, 'device')), 'name'], '');
    });
    plain(device.body, nested(own, 'device'), 'constraint', 'constraint ->');
    plain(device.body, nested(own, 'device'), 'affinity', 'affinity ->');
  }
}

function checkNetwork(body: Body): void {
  const blocks = body.blocks.filter((b) => b.type === 'network');
  const [block] = blocks;
  if (block === undefined) return;
  const schema = nested(nested(taskBlock, 'resources'), 'network');
  if (blocks.length > 1) throw new Problem(["only one 'network' resource allowed"], blocks[1]!.headRange);
  checkKeys(block.body, names(schema), 'network ->');
  inside('network, ports ->', () => checkPorts(block.body));
  inside('network ->', () => {
    only(block.body, 'dns', () => 'cannot have more than 1 dns block');
    plain(block.body, schema, 'dns', 'dns ->');
  });
}

function checkPorts(network: Body): void {
  const seen = new Set<string>();
  for (const port of network.blocks.filter((b) => b.type === 'port')) {
    const [label] = port.labels;
    if (label === undefined) throw new Problem(['ports must be named'], port.headRange);
    checkKeys(port.body, ['static', 'to', 'host_network'], '');
    if (!/^[a-zA-Z0-9_]+$/.test(label.value))
      throw new Problem(['Port label does not conform to naming requirements ^[a-zA-Z0-9_]+$'], label.range);
    const lower = label.value.toLowerCase();
    if (seen.has(lower)) throw new Problem([`found a port label collision: ${label.value}`], label.range);
    seen.add(lower);
  }
}

function checkServices(body: Body): void {
  const schema = nested(taskBlock, 'service');
  for (const [i, { body: service }] of body.blocks.filter((b) => b.type === 'service').entries()) {
    inside(`service (${i}):`, () => {
      checkKeys(service, names(schema), '');
      const name = text(service, 'name') ?? '';
      inside(`'${name}',`, () => {
        for (const check of service.blocks.filter((b) => b.type === 'check')) {
          checkKeys(check.body, names(nested(schema, 'check')), 'check ->');
          inside('check -> header ->', () => checkHeaders(check.body));
          checkRestart(check.body, text(check.body, 'name') ?? '', `check: '${text(check.body, 'name') ?? ''}',`);
        }
      });
      checkRestart(service, name, `'${name}',`);
      const connects = service.blocks.filter((b) => b.type === 'connect');
      if (connects.length > 1)
        throw new Problem([`connect '${name}': cannot have more than 1 connect stanza`], connects[1]!.headRange);
      for (const connect of connects)
        inside(`'${name}',`, () => checkKeys(connect.body, names(nested(schema, 'connect')), 'connect ->'));
    });
  }
}

function checkRestart(body: Body, name: string, prefix: string): void {
  const blocks = body.blocks.filter((b) => b.type === 'check_restart');
  if (blocks.length > 1)
    throw new Problem([`check_restart '${name}': cannot have more than 1 check_restart`], blocks[1]!.headRange);
  if (blocks[0] !== undefined)
    inside(prefix, () => checkKeys(blocks[0]!.body, ['limit', 'grace', 'ignore_warnings'], 'check_restart ->'));
}

function checkHeaders(check: Body): void {
  for (const header of check.blocks.filter((b) => b.type === 'header')) {
    for (const { name, expression } of header.body.attributes.values()) {
      if (expression.kind !== 'tuple')
        throw new Problem([`${JSON.stringify(name)} expected a []string but found ${goType(expression)}`], expression.range);
      for (const item of expression.items) {
        if (goType(item) !== 'string')
          throw new Problem([`${JSON.stringify(name)} expected a string but found ${goType(item)}`], item.range);
      }
    }
  }
}

function goType(e: Expression): string {
  switch (e.kind) {
    case 'template':
      return 'string';
    case 'tuple':
      return '[]interface {}';
    case 'object':
      return '[]map[string]interface {}';
    case 'literal':
      if (e.value.kind === 'bool') return 'bool';
      if (e.value.kind === 'number') return e.value.number.exponent < 0 ? 'float64' : 'int';
      return 'string';
    default:
      return 'string';
  }
}

/** The text of an argument that is a plain text. */
function text(body: Body, name: string): string | undefined {
  const e = body.attributes.get(name)?.expression;
  const literal = e?.kind === 'template' && e.parts.length === 1 ? e.parts[0] : e;
  return literal?.kind === 'literal' && literal.value.kind === 'string' ? literal.value.string : undefined;
}
