// Generated from the commands in this folder by `npm run generate`. Do not edit.

import type { CommandEntry } from '../../ctl/index.ts';

export const commands: readonly CommandEntry[] = [
  { name: 'agent', summary: 'Run a server, a client, or both', load: () => import('./agent.ts').then((m) => m.agentCommand) },
  { name: 'apiserver', summary: 'Run only the API server', load: () => import('./parts.ts').then((m) => m.apiserverCommand) },
  {
    name: 'controller',
    summary: 'Run one or more controllers',
    load: () => import('./parts.ts').then((m) => m.controllerCommand),
  },
  {
    name: 'node-agent',
    summary: 'Run only the agent of this machine',
    load: () => import('./parts.ts').then((m) => m.nodeAgentCommand),
  },
  { name: 'scheduler', summary: 'Run only the scheduler', load: () => import('./parts.ts').then((m) => m.schedulerCommand) },
  {
    name: 'snapshot inspect',
    aliases: ['operator snapshot inspect'],
    summary: 'Show what a snapshot holds, and whether it is whole',
    load: () => import('./snapshot.ts').then((m) => m.snapshotInspect),
  },
  {
    name: 'snapshot restore',
    aliases: ['operator snapshot restore'],
    summary: 'Make a new store of a snapshot',
    load: () => import('./snapshot.ts').then((m) => m.snapshotRestore),
  },
  {
    name: 'snapshot save',
    aliases: ['operator snapshot save'],
    summary: 'Save the state of the cluster to a file',
    load: () => import('./snapshot.ts').then((m) => m.snapshotSave),
  },
  {
    name: 'store migrate',
    summary: 'Move the state of a server from the embedded store to etcd, or back',
    load: () => import('./snapshot.ts').then((m) => m.storeMigrate),
  },
];
