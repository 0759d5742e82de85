import type { Job } from '../../openapi/index.ts';
import type { Attribute, Block, Body } from '../hcl/ast.ts';
import type { Diagnostics } from '../hcl/diagnostic.ts';
import { type Diagnostic } from '../hcl/diagnostic.ts';
import { evaluate, type Scope } from '../hcl/evaluate.ts';
import { standardFunctions, type FunctionOptions } from '../hcl/functions/index.ts';
import { parseHclBody, type Parsed } from '../hcl/parser.ts';
import type { Source } from '../hcl/source.ts';
import { string, UNKNOWN } from '../hcl/value.ts';
import { assembleJob, type JobTokens } from '../nomad/index.ts';
import { checkLabels, decodeBody, decodeTask, unsupportedArgument, unsupportedBlock, type Fields } from './decode.ts';
import { expandBlocks } from './expand.ts';
import { modernBody } from './hcl1.ts';
import { hcl1Problem } from './hcl1-check.ts';
import { jsonBody, shapeOf, type JsonShape } from './json-body.ts';
import { job as jobSchema, taskBlock, vaultBlock } from './schema.ts';
import { readLocals, readVariables, type VariableInputs } from './variables.ts';

export interface HclJob {
  readonly job: Job | undefined;
  readonly tokens: JobTokens;
  readonly diagnostics: readonly Diagnostic[];
}

/** Reads a job file in HCL (native or JSON syntax): variables, locals, then the job itself. */
export function parseHclJob(
  source: Source,
  inputs: VariableInputs,
  options: FunctionOptions & { readonly hcl1?: boolean },
): HclJob {
  if (options.hcl1 === true) return parseHcl1Job(source);
  const parsed: Pick<Parsed, 'body' | 'diagnostics' | 'structureBroken'> = /^\s*\{/.test(source.text)
    ? jsonBody(source, ROOT)
    : parseHclBody(source);
  const diagnostics = parsed.diagnostics;
  if (parsed.structureBroken === true) return { job: undefined, tokens: {}, diagnostics: diagnostics.list };
  const broken = diagnostics.failed;
  const functions = standardFunctions(options, () => scope);
  const unknownReference: Scope['unknownReference'] = (text) => string(`\${${text}}`);
  // A default or a condition of a variable cannot refer to anything that the node knows later.
  const early: Scope = { variables: new Map(), functions };

  const jobs = topLevel(parsed.body, diagnostics);
  const variables = readVariables(parsed.body, inputs, early, diagnostics);
  const locals = readLocals(parsed.body, { ...early, unknownReference }, variables, diagnostics);
  const scope: Scope = {
    variables: new Map([
      ['var', variables],
      ['local', locals],
    ]),
    functions,
    unknownReference,
  };
  if (jobs.length === 0 && !broken) diagnostics.error('Missing job block', 'A job block is required');
  // With wrong variables everything that uses them would seem wrong, too.
  const usable = !diagnostics.failed || broken;
  if (jobs[0] === undefined || !usable) return { job: undefined, tokens: {}, diagnostics: diagnostics.list };
  const { job, tokens } = decodeJob(jobs[0], scope, diagnostics);
  return { job, tokens, diagnostics: diagnostics.list };
}

/** Reads a job file in the older grammar: no variables, no functions, interpolations are text. */
function parseHcl1Job(source: Source): HclJob {
  const { body, diagnostics, structureBroken } = parseHclBody(source, { literalTemplates: true, quotedNames: true });
  if (structureBroken === true) return { job: undefined, tokens: {}, diagnostics: diagnostics.list };
  const scope: Scope = { variables: new Map(), functions: new Map() };
  const broken = diagnostics.failed;
  const blocks = body.blocks.map((b) => ({ ...b, body: modernBody(b.body, jobSchema, diagnostics) }));
  const problem = broken ? undefined : hcl1Problem({ ...body, blocks });
  if (problem !== undefined) return { job: undefined, tokens: {}, diagnostics: [problem] };
  const job = blocks.find((b) => b.type === 'job' && b.labels.length > 0);
  if (job === undefined) return { job: undefined, tokens: {}, diagnostics: diagnostics.list };
  const decoded = decodeJob(job, scope, diagnostics);
  return { ...decoded, diagnostics: diagnostics.list };
}

const ROOT: JsonShape = (name) => {
  if (name === 'job') return { labels: 1, inner: jobShape };
  if (name === 'variable')
    return { labels: 1, inner: (n) => (n === 'validation' ? { labels: 0, inner: () => undefined } : undefined) };
  if (name === 'variables' || name === 'locals') return { labels: 0, inner: () => undefined };
  return undefined;
};

const jobShape: JsonShape = (name) => {
  if (name === 'task') return { labels: 1, inner: shapeOf(taskBlock) };
  if (name === 'vault') return { labels: 0, inner: shapeOf(vaultBlock) };
  const shape = shapeOf(jobSchema)(name);
  if (name !== 'group' || shape === undefined) return shape;
  return { ...shape, inner: (n) => (n === 'vault' ? { labels: 0, inner: shapeOf(vaultBlock) } : shape.inner(n)) };
};

const TOP: Readonly<Record<string, readonly string[]>> = { job: ['name'], variable: ['name'], variables: [], locals: [] };

function topLevel(body: Body, diagnostics: Diagnostics): Block[] {
  for (const [name, attribute] of body.attributes) {
    unsupportedArgument(name, attribute.nameRange, [], new Set(Object.keys(TOP)), diagnostics);
  }
  const jobs: Block[] = [];
  for (const block of body.blocks) {
    const labels = TOP[block.type];
    if (labels === undefined) unsupportedBlock(block, new Set(), Object.keys(TOP), diagnostics);
    else if (block.type === 'job' && checkLabels(block, labels, diagnostics)) jobs.push(block);
  }
  for (const block of jobs.slice(1)) {
    const { headRange } = jobs[0]!;
    const start = headRange.source.position(headRange.start);
    const end = headRange.source.position(headRange.end);
    diagnostics.error(
      'Duplicate job block',
      `Only one job block is allowed. Another was defined at ${headRange.source.filename}:${start.line},${start.column}-${end.column}.`,
      block.headRange,
    );
  }
  return jobs;
}

function decodeJob(block: Block, scope: Scope, diagnostics: Diagnostics): { job: Job; tokens: JobTokens } {
  const { body } = block;
  const text = (name: string): string | undefined => {
    const attribute: Attribute | undefined = body.attributes.get(name);
    if (attribute === undefined) return undefined;
    const v = evaluate(attribute.expression, scope, diagnostics);
    if (v.kind === 'string') return v.string;
    if (v !== UNKNOWN && v.kind !== 'null' && v.kind !== 'unknown') {
      diagnostics.error('Unsuitable value type', 'Unsuitable value: string required', attribute.expression.range);
    }
    return undefined;
  };
  const own = expandBlocks(body, scope, diagnostics);
  const extras = {
    attributes: ['id', 'namespace', 'consul_token', 'vault_token'],
    blocks: { task: ['name'], vault: [] },
  };
  const fields = decodeBody(body, jobSchema, scope, diagnostics, extras, own);
  // A task outside of groups is a group of one, with the task's name.
  const loose = own
    .filter(({ block: b }) => b.type === 'task' && b.labels[0] !== undefined)
    .map(({ block: b, scope: inner }): Fields => {
      const name = b.labels[0]!.value;
      return { name, tasks: [{ name, ...decodeTask(b.body, taskBlock, inner, diagnostics) }] };
    });
  const groups = [...loose, ...((fields.groups as Fields[] | undefined) ?? [])];
  if (groups.length > 0) fields.groups = groups;
  const shared = own.find(({ block: b }) => b.type === 'vault');
  const vault = shared === undefined ? undefined : decodeBody(shared.block.body, vaultBlock, shared.scope, diagnostics);
  for (const group of groups) {
    for (const task of (group.tasks as Fields[] | undefined) ?? []) {
      const own = (task.vault as Fields | undefined) ?? vault;
      if (own !== undefined) task.vault = { env: true, changeMode: 'restart', ...own };
    }
    const scaling = group.scaling as Fields | undefined;
    if (scaling !== undefined && (scaling.type === undefined || scaling.type === '')) scaling.type = 'horizontal';
  }
  const id = text('id') ?? block.labels[0]!.value;
  if (fields.name === undefined && id !== block.labels[0]!.value) fields.name = block.labels[0]!.value;
  if (fields.name === id) delete fields.name;
  const consul = text('consul_token');
  const vaultToken = text('vault_token');
  return {
    job: assembleJob(id, text('namespace'), fields),
    tokens: { ...(consul === undefined ? {} : { consul }), ...(vaultToken === undefined ? {} : { vault: vaultToken }) },
  };
}
