import { execFile } from 'node:child_process';
import { closeSync, constants, existsSync, fchownSync, fstatSync, openSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { join, normalize } from 'node:path';
import { promisify } from 'node:util';
import { qemuFields, toFlag, toText, toTextMap, toTexts, type DriverConfig, type DriverInfo } from '../../../openapi/index.ts';
import { DriverError, type Driver, type TaskStart } from '../driver.ts';
import { processDriver, type ProcessOptions } from '../process/driver.ts';
import { fingerprintWalls, settleWalls, type WallPolicy } from '../process/policy.ts';

/**
 * qemu: a virtual machine, run by the machine's qemu-system-x86_64 behind the walls that exec has. So whatever a job writes into `args`,
 * qemu reaches no more than an exec task does: the machine's programs, read-only, and the task's own folders.
 */
export interface QemuOptions extends ProcessOptions {
  readonly policy: WallPolicy;
}

const PROGRAM = 'qemu-system-x86_64';
/** What qemu itself takes beside the memory of its guest. */
const OVERHEAD_MB = 128;
/** Where qemu listens for `system_powerdown`, as the task and as the node sees it. */
const MONITOR = 'qemu-monitor.sock';
const MONITOR_MS = 5_000;
const PROMPT = '(qemu) ';

export function qemuDriver(options: QemuOptions): Driver {
  const { policy } = options;
  return processDriver(
    {
      name: 'qemu',
      filesystem: 'image',
      fields: qemuFields,
      fingerprint: fingerprintQemu,
      refusals,
      settle: (task) => {
        const settled = settleWalls(task, policy);
        const { limits, owner } = settled;
        const guest = task.resources.memory ?? 0;
        return {
          ...settled,
          ...(limits && { limits: { ...limits, memoryMB: Math.max(limits.memoryMB, guest + OVERHEAD_MB) } }),
          ...(toFlag(task.config['graceful_shutdown']) === true && { quit: () => pressPowerButton(task) }),
          command: () => {
            const program = findQemu();
            if (program === undefined) throw new DriverError(`the node has no ${PROGRAM}`, { recoverable: false });
            if (owner !== undefined) giveImage(task, owner);
            return Promise.resolve([program, ...qemuArguments(task)]);
          },
        };
      },
    },
    options,
  );
}

function refusals(config: DriverConfig): string[] {
  const problems: string[] = [];
  if (imagePath(config) === undefined) problems.push('image_path: must be below local/ or alloc/, where artifacts are put');
  const accelerator = toText(config['accelerator']) || 'tcg';
  if (accelerator === 'kvm')
    problems.push('accelerator: kvm is not built yet, as tasks behind walls do not see /dev/kvm; there is tcg');
  else if (accelerator !== 'tcg') problems.push(`accelerator: must be tcg, not ${accelerator}`);
  for (const [label, port] of Object.entries(toTextMap(config['port_map']) ?? {})) {
    if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535) problems.push(`port_map.${label}: must be a port`);
  }
  return problems;
}

/** The image as the task sees it: `/local/x.img`. */
export function imagePath(config: DriverConfig): string | undefined {
  const path = normalize(`/${toText(config['image_path']) ?? ''}`);
  return /^\/(local|alloc)\/[^\0]+$/.test(path) ? path : undefined;
}

/** The command line of a virtual machine, without the program. */
export function qemuArguments({
  config,
  resources,
  task,
  ports,
}: Pick<TaskStart, 'config' | 'resources' | 'task' | 'ports'>): string[] {
  const type = toText(config['drive_interface']);
  // A comma ends a value; twice it stands for itself.
  const value = (text: string): string => text.replaceAll(',', ',,');
  const map = Object.entries(toTextMap(config['port_map']) ?? {});
  const forwards = map.flatMap(([label, guest]) => {
    const port = ports.find((p) => p.label === label);
    if (port === undefined) throw new DriverError(`port_map: the task has no port "${label}"`, { recoverable: false });
    return ['tcp', 'udp'].map((protocol) => `,hostfwd=${protocol}:${port.hostIP}:${port.value}-:${guest}`);
  });
  return [
    ...['-machine', 'type=pc,accel=tcg'],
    ...['-name', value(task)],
    ...['-m', `${resources.memory ?? 300}M`],
    ...['-drive', `file=${value(imagePath(config) ?? '')}${type ? `,if=${type}` : ''}`],
    '-nographic',
    ...(toFlag(config['graceful_shutdown']) === true ? ['-monitor', `unix:/secrets/${MONITOR},server,nowait`] : []),
    // Without a ROM to boot from by network, which machines need not have.
    ...(forwards.length > 0 ? ['-netdev', `user,id=user.0${forwards.join('')}`, '-device', 'virtio-net-pci,netdev=user.0,romfile='] : []), // prettier-ignore
    ...(toTexts(config['args']) ?? []),
  ];
}

/** An artifact is the agent's; a guest writes to its disk as the user of the task. Only a plain file in the task's own folder is given away. */
function giveImage(task: TaskStart, owner: { readonly uid: number; readonly gid: number }): void {
  const path = imagePath(task.config);
  if (path === undefined || !path.startsWith('/local/')) return;
  let fd: number;
  try {
    fd = openSync(
      join(task.dirs.local, path.slice('/local/'.length)),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
  } catch (cause) {
    throw new DriverError(`the image ${path} cannot be opened`, { recoverable: false, cause });
  }
  try {
    const folder = openSync(task.dirs.local, constants.O_RDONLY | constants.O_DIRECTORY);
    const [real, root] = [fd, folder].map((one) => readlinkSync(`/proc/self/fd/${one}`));
    closeSync(folder);
    if (fstatSync(fd).isFile() && fstatSync(fd).nlink === 1 && real!.startsWith(`${root!}/`))
      fchownSync(fd, owner.uid, owner.gid);
  } finally {
    closeSync(fd);
  }
}

/** Asks the guest to end by itself. The way to the socket is by a descriptor, since names of sockets are short. */
async function pressPowerButton(task: TaskStart): Promise<void> {
  const folder = openSync(task.dirs.secrets, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await new Promise<void>((resolve, reject) => {
      const socket = connect(`/proc/self/fd/${folder}/${MONITOR}`);
      // Counted from the beginning: the task may have put something else there, that goes on talking.
      const timer = setTimeout(() => socket.destroy(new Error('the monitor of qemu does not answer')), MONITOR_MS);
      socket.once('error', reject);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      // It is told once it asks, and done once it asks again.
      let said = '';
      let told = false;
      socket.on('data', (data: Buffer) => {
        said = (said + data.toString('latin1')).slice(-PROMPT.length);
        if (said !== PROMPT) return;
        said = '';
        if (told) socket.end();
        else socket.write('system_powerdown\n');
        told = true;
      });
    });
  } finally {
    closeSync(folder);
  }
}

/** As the task finds it: what is shown to it of the machine. */
const findQemu = (): string | undefined =>
  ['/usr/bin', '/usr/local/bin'].map((dir) => join(dir, PROGRAM)).find((path) => existsSync(path));

async function fingerprintQemu(): Promise<DriverInfo> {
  const program = findQemu();
  if (program === undefined) return { detected: false, healthy: false, description: `${PROGRAM} was not found` };
  const said = await promisify(execFile)(program, ['--version'], { timeout: 20_000 }).then(({ stdout }) => stdout, () => undefined); // prettier-ignore
  const version = /version (\d+(?:\.\d+)*)/.exec(said ?? '')?.[1];
  if (version === undefined) return { detected: false, healthy: false, description: `${PROGRAM} --version does not answer` };
  return fingerprintWalls('qemu', { 'driver.qemu.version': version });
}
