import Docker from 'dockerode';
import { silentLogger, systemClock } from '../../../base/index.ts';
import { createDrivers } from '../../../kubelet-like-agent/drivers/index.ts';
import { driverContract } from './contract.ts';

const engine = new Docker();

driverContract('docker', {
  create: () => createDrivers({ clock: systemClock, log: silentLogger }).find((d) => d.name === 'docker')!,
  config: (script) => ({ image: 'busybox:1', command: 'sh', args: ['-c', script] }),
  contained: true,
  async count(allocId) {
    return (await engine.listContainers({ all: true, filters: { label: [`orch.dev/alloc-id=${allocId}`] } })).length;
  },
});
