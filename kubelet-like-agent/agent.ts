import { readdir, statfs } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  backoff,
  describeError,
  sleep,
  toTimestamp,
  type Clock,
  type Instant,
  type Logger,
  type LogRing,
} from '../base/index.ts';
import { Informer, type Client } from '../client/index.ts';
import {
  AllocationKind,
  ServiceRegistrationKind,
  type Allocation,
  type DriverInfo,
  type JobSpec,
  type NodeStatus,
  type Stored,
} from '../openapi/index.ts';
import { AllocationDirs, SecretMounts } from './allocation/dirs.ts';
import { neverStarted, type AllocationRecord } from './allocation/record.ts';
import { AllocationRunner, type AllocationHost } from './allocation/runner.ts';
import { statusLetter } from './allocation/status.ts';
import type { AgentConfig } from './config.ts';
import type { Driver } from './drivers/driver.ts';
import { collectable } from './gc/decide.ts';
import { AgentServer } from './http/server.ts';
import { KeptLogs } from './logs/index.ts';
import { fingerprint, readMachine, type Fingerprint } from './node/fingerprint.ts';
import { nodeIdentity } from './node/identity.ts';
import { NodeMeta } from './node/meta.ts';
import { nodeFacts, nodeStatus, withUpdateTime } from './node/node-object.ts';
import { Registrar } from './node/registrar.ts';
import { StatsReader } from './node/stats.ts';
import type { Discovery } from './discovery/index.ts';
import { ServiceBook } from './services/book.ts';
import { Catalog } from './services/catalog.ts';
import { Variables } from './services/variables.ts';
import type { StartCheck } from './services/checks.ts';
import { lockDataDir } from './state/lock.ts';
import { JsonFolder } from './state/store.ts';
import { Outbox } from './status/outbox.ts';
import { decide, type LocalAllocation, type MachineRoom, type SyncStep } from './sync/decide.ts';
import { JobVersions } from './sync/job-versions.ts';
import { hostPort, type NodeFacts } from './task/env.ts';

export interface AgentOptions {
  readonly client: Client;
  readonly config: AgentConfig;
  readonly clock: Clock;
  readonly log: Logger;
  /** What people are told who follow the log of the agent. */
  readonly logs?: LogRing | undefined;
  readonly drivers: readonly Driver[];
  readonly startCheck: StartCheck;
  readonly random: () => number;
}

/** How long tasks may take to stop, beyond their own delays, before the agent leaves all the same. */
const STOP_GRACE = 15_000;

/** The agent of one node: owns everything that runs here and lets go of it in `close`. */
export class Agent {
  readonly nodeId: string;
  readonly #options: AgentOptions;
  readonly #log: Logger;
  readonly #fingerprint: Fingerprint;
  readonly #state: JsonFolder<AllocationRecord>;
  readonly #versions: JobVersions;
  readonly #outbox: Outbox;
  readonly #services: ServiceBook;
  readonly #catalog: Catalog;
  readonly #variables: Variables;
  readonly #mounts: SecretMounts;
  readonly #keptLogs: KeptLogs;
  readonly #stats = new StatsReader();
  readonly #meta: NodeMeta;
  readonly #runners = new Map<string, AllocationRunner>();
  /** From disk, but their job version has yet to be fetched. */
  readonly #unready = new Map<string, AllocationRecord>();
  /** Allocations whose job version is being fetched, with that version. */
  readonly #fetching = new Map<string, number>();
  /** What was last said of allocations that have no runner. */
  readonly #told = new Map<string, string>();
  readonly #closing = new AbortController();
  readonly #background = new Set<Promise<void>>();
  readonly #release: () => Promise<void>;
  #drivers: Record<string, DriverInfo> = {};
  #facts: NodeFacts | undefined;
  #allocations: Informer<Allocation> | undefined;
  #registrar: Registrar | undefined;
  #server: AgentServer | undefined;
  #discovery: Discovery | undefined;
  #syncing = false;
  #swept = false;
  #collecting = false;
  #collectAgain = false;

  private constructor(options: AgentOptions, nodeId: string, found: Fingerprint, meta: NodeMeta, release: () => Promise<void>) {
    const { client, config, clock, log } = options;
    this.#options = options;
    this.nodeId = nodeId;
    this.#log = log;
    this.#fingerprint = found;
    this.#meta = meta;
    this.#release = release;
    this.#state = new JsonFolder(join(config.dataDir, 'state', 'allocations'));
    const folder = new JsonFolder<JobSpec>(join(config.dataDir, 'state', 'jobs'));
    this.#versions = new JobVersions({ client, folder, clock, log });
    this.#outbox = new Outbox({
      clock,
      log: log.child('outbox'),
      random: options.random,
      send: (operations, signal) => client.batch(operations, { mode: 'independent', signal }),
    });
    this.#services = new ServiceBook(this.#outbox);
    this.#catalog = new Catalog({ client, clock, log: log.child('catalog') });
    this.#variables = new Variables({ client, clock, log: log.child('variables') });
    this.#mounts = new SecretMounts(log, clock);
    this.#keptLogs = new KeptLogs({ dir: join(config.dataDir, 'logs'), limits: config.keptLogs, clock, log });
  }

  static async open(options: AgentOptions): Promise<Agent> {
    const { config } = options;
    const nodeId = await nodeIdentity(config.dataDir);
    const release = await lockDataDir(config.dataDir);
    let agent: Agent | undefined;
    try {
      const found = fingerprint(await readMachine(config.dataDir), config);
      agent = new Agent(options, nodeId, found, await NodeMeta.open(config.dataDir, config.meta), release);
      await agent.#start();
      return agent;
    } catch (error) {
      if (agent === undefined) await release();
      else await agent.close({ stopTasks: false });
      throw error;
    }
  }

  /** Restores what runs here first, without the server; then makes the node known and follows what is wanted of it. */
  async #start(): Promise<void> {
    const { client, config, clock, log, random } = this.#options;
    const token = randomBytes(32).toString('hex');
    this.#server = await AgentServer.listen({
      host: config.bindAddr,
      port: config.httpPort,
      token,
      log: log.child('http'),
      allocation: (id) => this.#runners.get(id),
      keptLogs: (id) => this.#keptLogs.find(id),
      nodeStats: () => this.#nodeStats(),
      nodeMeta: () => this.#meta.read(),
      changeMeta: async (changes) => {
        await this.#meta.change(changes);
        this.#facts = undefined;
        await this.#registrar!.told();
      },
      logs: this.#options.logs,
      clock,
    });
    await Promise.all(this.#options.drivers.map((driver) => this.#fingerprintDriver(driver)));
    await this.#restore();
    await this.#keptLogs.load();
    await this.#mounts.sweep(
      join(config.dataDir, 'alloc'),
      (id) => this.#unready.has(id) || this.#runners.get(id)?.isTerminal === false,
    );
    await Promise.all(this.#options.drivers.map((driver) => this.#removeOrphans(driver)));

    this.#registrar = new Registrar({
      client,
      clock,
      log: log.child('node'),
      random,
      nodeId: this.nodeId,
      hostname: this.#fingerprint.hostname,
      config: () => this.#config(),
      status: () => this.#nodeStatus(),
      endpoint: { address: this.#httpAddress(), token },
      onContact: () => this.#outbox.wake(),
      onSilence: (since) => this.#stopWhatMustNotRunAlone(since),
    }).start();
    for (const driver of this.#options.drivers) this.#run(this.#driverLoop(driver));

    if (config.discovery?.required) await this.#discover();
    else this.#run(this.#discover());

    this.#allocations = new Informer({
      client,
      kind: AllocationKind,
      clock,
      log: log.child('allocations'),
      fieldSelector: `spec.nodeName=${this.nodeId}`,
    });
    const changed = (object: Stored<Allocation>): void => {
      this.#runners.get(object.metadata.name)?.serverStatus(object);
      this.#sync();
    };
    this.#allocations.on({ added: changed, modified: changed, deleted: () => this.#sync() });
    this.#allocations.on({ deleted: ({ metadata }) => this.#run(this.#keptLogs.retain((id) => id !== metadata.name)) });
    this.#allocations.start();
    this.#run(
      this.#allocations.synced.then(
        () => this.#synced(),
        () => undefined,
      ),
    );
  }

  get port(): number {
    return this.#server!.port;
  }

  /** Where services can be asked for. */
  get discovery(): Pick<Discovery, 'dnsPort' | 'httpPort'> | undefined {
    return this.#discovery;
  }

  async #discover(): Promise<void> {
    const { config, clock, random, log } = this.#options;
    if (config.discovery === undefined) return;
    // Loaded when it is used: an agent has much to do before somebody asks.
    const { startDiscovery } = await import('./discovery/index.ts');
    const options = { config: config.discovery, catalog: this.#catalog, clock, random, log: log.child('discovery') };
    try {
      this.#discovery = await startDiscovery(options);
    } catch (error) {
      if (config.discovery.required) throw error;
      log.warn('services cannot be asked for on this node', { error: describeError(error) });
    }
  }

  get registered(): Promise<void> {
    return this.#registrar!.registered;
  }

  /** Ends the agent. Tasks go on and the next agent finds them, unless `stopTasks`. */
  async close({ stopTasks }: { stopTasks: boolean }): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#allocations?.close();
    if (stopTasks) await this.#stopAll();
    await Promise.all([...this.#runners.values()].map((runner) => runner.detach()));
    await Promise.all(this.#background);
    if (stopTasks) await this.#mounts.unmountBelow(join(this.#options.config.dataDir, 'alloc'));
    await this.#discovery?.close();
    this.#keptLogs.close();
    await this.#catalog.close();
    await this.#variables.close();
    await this.#registrar?.close(stopTasks);
    await this.#server?.close();
    await this.#outbox.close();
    await this.#release();
  }

  async #stopAll(): Promise<void> {
    const { clock } = this.#options;
    for (const runner of this.#runners.values()) runner.stop(true);
    const ended = Promise.all([...this.#runners.values()].flatMap((r) => r.taskNames().map((name) => r.ended(name))));
    await new Promise<void>((resolve) => {
      const timer = clock.after(STOP_GRACE, resolve);
      void ended.then(() => {
        timer.cancel();
        resolve();
      });
    });
    await this.#outbox.flushed(1000);
  }

  async #restore(): Promise<void> {
    const records = await this.#state.load(this.#log);
    await this.#versions.restore();
    for (const record of records.values()) {
      const job = this.#versions.cached(record.allocation);
      if (job !== undefined) this.#resume(record, job);
      else {
        // Rare: its file was damaged. The tasks run on meanwhile and are not orphans.
        this.#unready.set(record.allocation.metadata.name, record);
        this.#run(this.#resumeLater(record));
      }
    }
    if (records.size > 0) this.#log.info('allocations restored', { allocations: records.size });
  }

  async #resumeLater(record: AllocationRecord): Promise<void> {
    const job = await this.#versions.get(record.allocation, this.#closing.signal);
    if (job !== undefined) this.#resume(record, job);
  }

  #resume(record: AllocationRecord, job: JobSpec): void {
    const id = record.allocation.metadata.name;
    this.#unready.delete(id);
    try {
      const runner = new AllocationRunner(this.#allocationHost(), record.allocation, job, record);
      this.#runners.set(id, runner);
      runner.resume(record.bootId === this.#fingerprint.bootId, this.#dirsOf(record.allocation.spec.previousAllocation));
      const known = this.#allocations?.get(`${record.allocation.metadata.namespace ?? 'default'}/${id}`);
      if (known !== undefined) runner.serverStatus(known);
    } catch (error) {
      this.#log.error('cannot restore allocation', { alloc: id, error: describeError(error) });
    }
  }

  async #removeOrphans(driver: Driver): Promise<void> {
    if (this.#drivers[driver.name]?.healthy !== true) return;
    try {
      for (const orphan of await driver.removeOrphans(this.nodeId, this.#known()))
        this.#log.warn('removed what belonged to no allocation', { driver: driver.name, orphan });
    } catch (error) {
      this.#log.warn('cannot look for orphans', { driver: driver.name, error: describeError(error) });
    }
  }

  /** Answers at the moment it is asked: an allocation that begins during a sweep is known. */
  #known(): ReadonlySet<string> {
    const mine = (id: string): boolean => this.#unready.has(id) || this.#runners.get(id)?.mayHaveRuns === true;
    const set = new Set([...this.#runners.keys(), ...this.#unready.keys()].filter(mine));
    set.has = mine;
    return set;
  }

  async #synced(): Promise<void> {
    const { client } = this.#options;
    this.#sync();
    const found = await client
      .list(ServiceRegistrationKind, { fieldSelector: `spec.nodeName=${this.nodeId}`, signal: this.#closing.signal })
      .catch((error: unknown) => {
        this.#log.warn('cannot list service registrations', { error: describeError(error) });
        return { items: [] };
      });
    this.#services.found(found.items);
    this.#services.settle(new Set([...this.#runners.keys(), ...this.#unready.keys()]));
    this.#swept = true;
    await this.#removeStrayDirs();
    const known = new Set(this.#allocations!.list().map((a) => a.metadata.name));
    await this.#keptLogs.retain((id) => known.has(id));
  }

  /** Directories of allocations that neither we nor the server know. */
  async #removeStrayDirs(): Promise<void> {
    const dir = join(this.#options.config.dataDir, 'alloc');
    for (const id of await readdir(dir).catch(() => [])) {
      if (this.#runners.has(id) || this.#unready.has(id) || this.#allocations!.list().some((a) => a.metadata.name === id))
        continue;
      await this.#dirs(id).remove(this.#mounts).catch((error: unknown) => this.#log.warn('cannot remove directory', { id, error })); // prettier-ignore
    }
  }

  /** Soon, once for all changes of this turn. */
  #sync(): void {
    if (this.#syncing) return;
    this.#syncing = true;
    setImmediate(() => {
      this.#syncing = false;
      if (this.#closing.signal.aborted || this.#allocations?.isSynced !== true) return;
      const desired = this.#allocations.list().filter((a) => !this.#unready.has(a.metadata.name));
      for (const step of decide(desired, this.#local(), this.#room())) this.#apply(step);
      const names = new Set(desired.map((a) => a.metadata.name));
      for (const id of this.#told.keys()) if (!names.has(id)) this.#told.delete(id);
    });
  }

  #room(): MachineRoom {
    const { cpuMHz = 0, memoryMB = 0 } = this.#fingerprint.resources;
    const { reserved } = this.#options.config;
    return { cpuMHz: cpuMHz - (reserved.cpuMHz ?? 0), memoryMB: memoryMB - (reserved.memoryMB ?? 0) };
  }

  #local(): LocalAllocation[] {
    return [...this.#runners].map(([id, runner]) => ({
      id,
      uid: runner.allocation.metadata.uid,
      goal: runner.goal,
      terminal: runner.isTerminal,
      allocation: runner.allocation,
    }));
  }

  #apply(step: SyncStep): void {
    switch (step.do) {
      case 'run':
      case 'update':
        this.#run(this.#runOrUpdate(step.allocation));
        return;
      case 'stop': {
        const runner = this.#runners.get(step.id);
        this.#log.info('stop allocation', { alloc: step.id, because: step.because });
        runner?.stop(step.skipDelay);
        return;
      }
      case 'forget':
        this.#run(this.#forget(step.id, 'the allocation no longer exists', { keepLogs: false }));
        return;
      case 'reportNeverStarted':
        this.#tell(
          step.allocation,
          neverStarted(toTimestamp(this.#options.clock.now()), step.allocation.spec.jobVersion),
          'stopped',
        );
        return;
      case 'wait':
        this.#tell(step.allocation, { phase: 'pending', description: step.because }, step.because);
    }
  }

  async #runOrUpdate(allocation: Stored<Allocation>): Promise<void> {
    const id = allocation.metadata.name;
    if (this.#fetching.get(id) === allocation.spec.jobVersion) return;
    this.#fetching.set(id, allocation.spec.jobVersion);
    const job = await this.#versions.get(allocation, this.#closing.signal);
    this.#fetching.delete(id);
    if (job === undefined || this.#closing.signal.aborted) return;
    // It may have been changed or withdrawn while the job version was on its way.
    const now = this.#allocations?.get(`${allocation.metadata.namespace ?? 'default'}/${id}`);
    if (now === undefined || now.spec.jobVersion !== allocation.spec.jobVersion || now.spec.desired !== 'run')
      return this.#sync();
    const runner = this.#runners.get(id);
    try {
      if (runner !== undefined) {
        this.#log.info('updating allocation in place', { alloc: id, jobVersion: now.spec.jobVersion });
        runner.update(now, job);
        return;
      }
      const created = new AllocationRunner(this.#allocationHost(), now, job);
      this.#runners.set(id, created);
      this.#log.info('starting allocation', { alloc: id, name: now.spec.name, jobVersion: now.spec.jobVersion });
      created.serverStatus(now);
      created.start(this.#dirsOf(now.spec.previousAllocation));
      this.#collect();
    } catch (error) {
      this.#tell(now, { phase: 'failed', description: describeError(error), jobVersion: now.spec.jobVersion }, 'failed');
    }
  }

  /** Reports on an allocation that has no runner, once per thing to say. */
  #tell(allocation: Stored<Allocation>, status: NonNullable<Allocation['status']>, what: string): void {
    const { name } = allocation.metadata;
    if (this.#told.get(name) === what) return;
    this.#told.set(name, what);
    this.#outbox.post(statusLetter(allocation, { ...status }, this.#options.clock.now()));
  }

  /** Removes what is left here of an allocation that has ended. */
  async #forget(id: string, because: string, { keepLogs }: { keepLogs: boolean }): Promise<void> {
    const runner = this.#runners.get(id);
    if (runner === undefined) return;
    this.#runners.delete(id);
    this.#log.debug('removing allocation directory', { alloc: id, because });
    await runner.detach();
    this.#services.set(id, []);
    const { metadata } = runner.allocation;
    const whose = { job: `${metadata.namespace ?? 'default'}/${runner.family}`, tasks: runner.taskNames() };
    if (keepLogs)
      await this.#keptLogs.keep(id, { ...whose, folder: runner.dirs.logs }).catch((error: unknown) => this.#log.warn('cannot keep logs', { alloc: id, error })); // prettier-ignore
    await this.#dirs(id).remove(this.#mounts).catch((error: unknown) => this.#log.warn('cannot remove directory', { alloc: id, error })); // prettier-ignore
    await this.#state.remove(id);
    await this.#versions.keep([...this.#runners.values()].map((r) => r.allocation).concat([...this.#unready.values()].map((r) => r.allocation))); // prettier-ignore
  }

  /** Makes room: when an allocation begins or ends, not by the clock. */
  #collect(): void {
    if (!this.#swept || this.#closing.signal.aborted) return;
    this.#collectAgain = this.#collecting;
    if (this.#collecting) return;
    this.#collecting = true;
    this.#run(
      this.#collectNow().finally(() => {
        this.#collecting = false;
        // What ended meanwhile was not looked at.
        if (this.#collectAgain) this.#collect();
      }),
    );
  }

  async #collectNow(): Promise<void> {
    const { config } = this.#options;
    for (;;) {
      let used = await this.#diskUsed();
      const isFull = (): boolean => used >= config.gc.diskUsagePercent;
      // What is only kept goes before what still has its folder.
      while (isFull() && (await this.#keptLogs.shed())) {
        this.#log.info('kept logs make room', { because: `the disk is ${Math.round(used)} % full` });
        used = await this.#diskUsed();
      }
      const finished = [...this.#runners.values()].filter((r) => r.finishedAt !== undefined);
      if (finished.length === 0) return;
      const candidates = finished.map((r) => ({ id: r.id, finishedAt: r.finishedAt!, known: this.#isKnown(r), reported: r.isReported })); // prettier-ignore
      const known = new Map(candidates.map((c) => [c.id, c.known]));
      const chosen = collectable(candidates, this.#runners.size - finished.length, used, config.gc);
      if (chosen.length === 0) return;
      // Logs that are kept are on the same disk: nothing would be gained.
      const keepLogs = (id: string): boolean => !isFull() && known.get(id) === true;
      await Promise.all(chosen.map(({ id, because }) => this.#forget(id, because, { keepLogs: keepLogs(id) })));
      if (this.#closing.signal.aborted) return;
      // A full disk is looked at again when something changes: what else fills it cannot be mended from here.
      if (isFull()) return;
    }
  }

  /** Percent of the disk that allocations are on. */
  async #diskUsed(): Promise<number> {
    const disk = await statfs(this.#options.config.dataDir);
    return (1 - disk.bavail / Math.max(1, disk.blocks - disk.bfree + disk.bavail)) * 100;
  }

  #isKnown(runner: AllocationRunner): boolean {
    const key = `${runner.allocation.metadata.namespace ?? 'default'}/${runner.id}`;
    return this.#allocations?.isSynced !== true || this.#allocations.get(key) !== undefined;
  }

  /** `disconnect { stop_on_client_after }`: what must not go on while nobody can say whether it was replaced. */
  #stopWhatMustNotRunAlone(since: Instant): void {
    const silent = this.#options.clock.now() - since;
    for (const runner of this.#runners.values()) {
      const after = runner.stopsAloneAfter;
      if (after === undefined || silent < after || runner.isTerminal) continue;
      this.#log.warn('stopping allocation: the server has been silent for too long', { alloc: runner.id, silentMs: silent });
      runner.stop(false);
    }
  }

  async #driverLoop(driver: Driver): Promise<void> {
    const { clock, random } = this.#options;
    const signal = this.#closing.signal;
    for (let vain = 0; driver.changed !== undefined && !signal.aborted;) {
      await driver.changed(signal);
      if (signal.aborted) return;
      const before = this.#drivers[driver.name];
      await this.#fingerprintDriver(driver);
      const after = this.#drivers[driver.name]!;
      if (JSON.stringify(before) === JSON.stringify(after)) {
        // A driver that cries wolf must not keep an idle node busy.
        await sleep(clock, backoff(vain++, 1000, 60_000, random), signal);
        continue;
      }
      vain = 0;
      const level = after.healthy ? 'info' : 'warn';
      this.#log[level]('driver changed', { driver: driver.name, healthy: after.healthy, description: after.description });
      this.#registrar?.factsChanged();
      if (after.healthy && before?.healthy !== true) await this.#removeOrphans(driver);
    }
  }

  async #fingerprintDriver(driver: Driver): Promise<void> {
    const info = await driver.fingerprint();
    this.#drivers = {
      ...this.#drivers,
      [driver.name]: withUpdateTime(info, this.#drivers[driver.name], this.#options.clock.now()),
    };
    this.#facts = undefined;
  }

  #node(): NodeFacts {
    return (this.#facts ??= nodeFacts(this.nodeId, { config: this.#config(), fingerprint: this.#fingerprint, drivers: this.#drivers })); // prettier-ignore
  }

  #nodeStatus(): NodeStatus {
    return nodeStatus({
      config: this.#config(),
      fingerprint: this.#fingerprint,
      drivers: this.#drivers,
      httpAddress: this.#httpAddress(),
    });
  }

  /** The configuration with the metadata that is in force. */
  #config(): AgentConfig {
    return { ...this.#options.config, meta: this.#meta.all };
  }

  #httpAddress(): string {
    const { bindAddr, advertiseAddress } = this.#options.config;
    const anywhere = bindAddr === '0.0.0.0' || bindAddr === '::';
    return hostPort(advertiseAddress ?? (anywhere ? this.#fingerprint.address : bindAddr), this.#server!.port);
  }

  async #nodeStats(): Promise<unknown> {
    const tasks = (await Promise.all([...this.#runners.values()].map((runner) => runner.stats()))).flat();
    return this.#stats.read(this.#options.config.dataDir, this.#fingerprint.resources.cpuMHz ?? 0, tasks);
  }

  #dirs(id: string): AllocationDirs {
    return new AllocationDirs(this.#options.config.dataDir, id);
  }

  #dirsOf(id: string | undefined): AllocationDirs | undefined {
    return id !== undefined && this.#runners.has(id) ? this.#dirs(id) : undefined;
  }

  #allocationHost(): AllocationHost {
    const { clock, config, random, startCheck } = this.#options;
    return {
      clock,
      log: this.#log,
      random,
      config,
      bootId: this.#fingerprint.bootId,
      node: () => this.#node(),
      driver: (name) => this.#options.drivers.find((d) => d.name === name),
      state: this.#state,
      outbox: this.#outbox,
      services: this.#services,
      catalog: this.#catalog,
      variables: this.#variables,
      mounts: this.#mounts,
      startCheck,
      dirs: (id) => this.#dirs(id),
      finished: () => {
        this.#sync();
        this.#collect();
      },
    };
  }

  #run(work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => this.#log.error('background work failed', { error }))
      .finally(() => this.#background.delete(done));
    this.#background.add(done);
  }
}
