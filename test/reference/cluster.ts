import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AllocationKind,
  DeploymentKind,
  EvaluationKind,
  JobKind,
  NodeKind,
  type Allocation,
  type Stored,
} from '../../openapi/index.ts';
import { freePorts, program, Sandbox } from '../framework/orchctl.ts';

/** A fresh cluster of the built program, as the recordings had one: a development agent on a node that offers a host volume. */
export class Cluster {
  readonly box: Sandbox;
  private constructor(box: Sandbox) {
    this.box = box;
  }

  static async start(): Promise<Cluster> {
    const box = new Sandbox();
    const [http, rpc] = await freePorts(2);
    box.address = `http://127.0.0.1:${http}`;
    const scratch = join(box.dir, 'scratch');
    mkdirSync(scratch);
    const config = join(box.dir, 'reference.hcl');
    // The recordings are of a version in which jobs had to name their datacenters.
    const server = 'server {\n  require_datacenters = true\n}\n';
    // Nor did the recording machine have java or qemu.
    const client = `client {\n  options {\n    "driver.denylist" = "java,qemu"\n  }\n  host_volume "scratch" {\n    path = "${scratch}"\n  }\n}\n`;
    writeFileSync(config, `name = "node1"\n${server}${client}`);
    const args = ['agent', '-dev', `-config=${config}`, `-http-port=${http}`, `-rpc-port=${rpc}`];
    const agent = box.spawn(process.execPath, [program, ...args]);
    const cluster = new Cluster(box);
    try {
      await agent.says(/orch agent started!/, 60_000);
      await cluster.until('a ready node', async () =>
        (await box.client().list(NodeKind, {})).items.some((n) => n.status?.phase === 'ready'),
      );
    } catch (error) {
      await box.close();
      throw error;
    }
    return cluster;
  }

  close(): Promise<void> {
    return this.box.close();
  }

  /** Waits for a state of the world; says what was missing when it does not come. */
  async until(what: string, look: () => Promise<boolean>, ms = 60_000): Promise<void> {
    await this.box.eventually(what, look, ms);
  }

  allocations(job: string): Promise<Stored<Allocation>[]> {
    return this.#of(AllocationKind, job);
  }

  async #of<T extends { readonly spec: unknown }>(
    kind: Parameters<ReturnType<Sandbox['client']>['list']>[0],
    job: string,
  ): Promise<Stored<T & Allocation>[]> {
    const { items } = await this.box.client().list(kind, { namespace: 'default', fieldSelector: `spec.jobName=${job}` });
    return (items as unknown as Stored<T & Allocation>[]).sort(
      (a, b) => Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp),
    );
  }

  /** Waits for what a recording waited for. */
  async reach(state: string, job: string): Promise<void> {
    const evaluated = async (): Promise<boolean> => {
      const evaluations = await this.box
        .client()
        .list(EvaluationKind, { namespace: 'default', fieldSelector: `spec.jobName=${job}` });
      const stored = await this.box.client().find(JobKind, job, 'default');
      const current =
        stored === null ||
        stored === undefined ||
        evaluations.items.some((e) => e.spec.jobGeneration === stored.metadata.generation);
      return current && evaluations.items.every((e) => (e.status?.phase ?? 'pending') !== 'pending');
    };
    const wanted = async (): Promise<Stored<Allocation>[]> =>
      (await this.allocations(job)).filter((a) => a.spec.desired === 'run');
    const healthy = async (): Promise<boolean> => {
      const deployments = await this.box
        .client()
        .list(DeploymentKind, { namespace: 'default', fieldSelector: `spec.jobName=${job}` });
      const newest = deployments.items.sort((a, b) => Number(b.metadata.resourceVersion) - Number(a.metadata.resourceVersion))[0];
      return newest?.status?.phase === 'successful';
    };
    switch (state) {
      case 'none':
        return;
      case 'placed':
        return this.until(`${job} placed`, evaluated);
      case 'running':
        return this.until(
          `${job} running`,
          async () => (await evaluated()) && (await wanted()).every((a) => a.status?.phase === 'running'),
        );
      case 'healthy':
        return this.until(
          `${job} healthy`,
          async () => (await evaluated()) && (await wanted()).every((a) => a.status?.phase === 'running') && (await healthy()),
        );
      case 'complete':
        return this.until(`${job} complete`, async () => {
          const all = await this.allocations(job);
          return all.length > 0 && all.every((a) => ['complete', 'failed', 'lost'].includes(a.status?.phase ?? 'pending'));
        });
      default:
        throw new Error(`what is the state "${state}"?`);
    }
  }

  /** What `{alloc:JOB}` and its like in the arguments of a transcript stand for now. */
  async symbol(name: string, job: string): Promise<string> {
    const client = this.box.client();
    const options = { namespace: 'default', fieldSelector: `spec.jobName=${job}` };
    switch (name) {
      case 'alloc':
      case 'ALLOC':
      case 'lalloc': {
        const all = await this.allocations(job);
        const live = all.filter((a) => a.spec.desired === 'run' && a.status?.phase === 'running');
        const found = (name === 'lalloc' ? all.at(-1) : (live.at(-1) ?? all.at(-1)))?.metadata.name ?? '';
        return name === 'ALLOC' ? found : found.slice(0, 8);
      }
      case 'eval':
        return newest((await client.list(EvaluationKind, options)).items);
      case 'dep':
        return newest((await client.list(DeploymentKind, options)).items);
      case 'node':
        return (await client.list(NodeKind, {})).items[0]?.metadata.name.slice(0, 8) ?? '';
      case 'idx':
      case 'stale': {
        const index = (await client.find(JobKind, job, 'default'))?.status?.modifyIndex ?? 0;
        return String(name === 'idx' ? index : index - 1);
      }
      case 'child': {
        const jobs = (await client.list(JobKind, { namespace: 'default' })).items;
        const children = jobs.filter((j) => j.metadata.name !== job && j.metadata.name.startsWith(`${job}:`));
        const child = children.sort((a, b) => Number(b.metadata.resourceVersion) - Number(a.metadata.resourceVersion))[0];
        return child?.spec.id ?? child?.metadata.name ?? '';
      }
      default:
        throw new Error(`what is {${name}:${job}}?`);
    }
  }
}

function newest(items: readonly { metadata: { name: string; creationTimestamp: string } }[]): string {
  const at = (item: (typeof items)[number]): number => Date.parse(item.metadata.creationTimestamp);
  return [...items].sort((a, b) => at(b) - at(a))[0]?.metadata.name.slice(0, 8) ?? '';
}
