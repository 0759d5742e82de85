import { readdirSync, readFileSync } from 'node:fs';
import { silentLogger, systemClock } from '../../../base/index.ts';
import { createDrivers } from '../../../kubelet-like-agent/drivers/index.ts';
import { driverContract } from './contract.ts';

driverContract('raw_exec', {
  create: () =>
    createDrivers({ rawExec: { enabled: true }, clock: systemClock, log: silentLogger }).find((d) => d.name === 'raw_exec')!,
  config: (script) => ({ command: 'sh', args: ['-c', script] }),
  contained: false,
  count: (allocId) => Promise.resolve(processesOf(allocId)),
});

/** Processes whose environment or command line names the allocation: whatever they did, they did not change that. */
function processesOf(allocId: string): number {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      if (readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')) return false;
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(allocId) || readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(allocId);
    } catch {
      return false;
    }
  }).length; // prettier-ignore
}
