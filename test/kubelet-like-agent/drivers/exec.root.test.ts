/** Tasks behind walls, on the machine itself: what they see, what they cannot do, and what happens when they take too much. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { silentLogger, systemClock } from '../../../base/index.ts';
import { createDrivers, DriverError } from '../../../kubelet-like-agent/drivers/index.ts';
import { driverContract, isPlayingAgent, openWorld, type DriverUnderTest } from './contract.ts';

const subject: DriverUnderTest = {
  create: () => createDrivers({ clock: systemClock, log: silentLogger }).find((d) => d.name === 'exec')!,
  config: (script) => ({ command: 'sh', args: ['-c', script] }),
  contained: true,
  count: (allocId) => Promise.resolve(processesOf(allocId).length),
};

/** Processes of the allocation: by the group that they are in, or by their words. */
function processesOf(allocId: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const names = (pid: string): boolean => {
    try {
      if (readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')) return false;
      return ['cgroup', 'cmdline'].some((file) => readFileSync(`/proc/${pid}/${file}`, 'latin1').includes(allocId));
    } catch {
      return false;
    }
  };
  return pids.filter(names).map(Number);
}

driverContract('exec', subject);

if (!isPlayingAgent) {
  t.test('what it sees of the machine, and what it may', async (t) => {
    const world = await openWorld(t, subject);
    const script = `
id -u; pwd; echo pids $(ls /proc | grep -c '^[0-9]'); ls / | tr '\\n' ' '; echo
grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status
for p in /usr/x /etc/x /proc/sys/kernel/core_pattern /sys/kernel/x /dev/x; do (echo x >$p) 2>/dev/null && echo "wrote $p"; done
for p in /root /home /var /work /tmp/.. ; do [ ! -e $p ] || echo "there is $p"; done
(echo x >/secrets/x && echo x >/local/x && echo x >/alloc/data/x && echo x >/tmp/x && echo x >/here) && echo own
mount -t tmpfs none /local 2>/dev/null && echo mounted; unshare -U true 2>/dev/null; chroot / true 2>/dev/null && echo chrooted
ls -l /dev/null /dev/sda /dev/mem 2>/dev/null | wc -l`;
    const task = world.task(script);
    const handle = await world.start(task);
    t.match(await handle.exited, { exitCode: 0 });
    const lines = (await world.log(task, 'stdout')).trim().split('\n');
    t.equal(lines[0], '65534', 'nobody');
    t.equal(lines[1], '/');
    t.match(lines[2], /^pids [1-5]$/, 'its own processes only');
    t.match(lines[3], /alloc.*bin.*local.*secrets.*usr/);
    t.match(lines.slice(4, 7), [/CapEff:\s+0{16}$/, /CapBnd:\s+0{16}$/, /NoNewPrivs:\s+1$/]);
    t.same(lines.slice(7), ['there is /tmp/..', 'own', '1']);
    t.equal(await world.log(task, 'stderr'), '');
  });

  t.test('a capability that it asks for and may have', async (t) => {
    const world = await openWorld(t, subject);
    const config = { ...subject.config('grep CapEff /proc/self/status'), cap_add: ['NET_BIND_SERVICE'] };
    const task = world.task('', { config });
    await (await world.start(task)).exited;
    t.match(await world.log(task, 'stdout'), /0000000000000400/);
    const driver = subject.create();
    t.match(driver.validate({ ...config, cap_add: ['sys_admin'] }), [/sys_admin not permitted on this node/]);
    t.match(driver.validate({ ...config, pid_mode: 'host', ipc_mode: 'host' }), [/pid_mode/, /ipc_mode/]);
    t.match(driver.validate({ ...config, pid_mode: 'hosst' }), [/must be one of private, host/]);
  });

  t.test('volumes, also where the task left links', async (t) => {
    const world = await openWorld(t, subject);
    const data = join(world.root, 'my data');
    await mkdir(data);
    await chmod(data, 0o777);
    await writeFile(join(data, 'f'), 'from the host\n');
    const mounts = [
      { source: data, destination: '/srv/data', readOnly: false },
      { source: data, destination: '/local/ro', readOnly: true },
    ];
    const task = world.task('cat /srv/data/f; echo new >/srv/data/g; (echo x >/local/ro/h) 2>/dev/null || echo ro', { mounts });
    await (await world.start(task)).exited;
    t.equal(await world.log(task, 'stdout'), 'from the host\nro\n');
    t.equal(readFileSync(join(data, 'g'), 'utf8'), 'new\n');

    const trap = world.task('true', { mounts: [{ source: data, destination: 'local/trap/data', readOnly: false }] });
    await mkdir(trap.dirs.local, { recursive: true });
    await mkdir(join(world.root, 'outside'));
    await symlink(join(world.root, 'outside'), join(trap.dirs.local, 'trap'));
    await t.rejects(world.start(trap), { cause: { message: /\/local\/trap/ } });
    t.same(readdirSync(join(world.root, 'outside')), [], 'the link led nowhere outside');
  });

  t.test('a fork bomb and a memory hog are contained, and named', async (t) => {
    const world = await openWorld(t, subject);
    const info = await subject.create().fingerprint();
    t.match(info, { detected: true, healthy: true });
    const limits = info.attributes!['driver.exec.limits']!;
    t.comment(`${info.description}; ${limits}`);
    if (limits.includes('pids')) {
      const config = { ...subject.config('i=0; while [ $i -lt 200 ]; do sleep 60 & i=$((i+1)); done; echo all'), pids_limit: 30 };
      const bomb = world.task('', { config });
      const handle = await world.start(bomb);
      t.not((await handle.exited).exitCode, 0);
      t.match(await world.log(bomb, 'stderr'), /Cannot fork/);
      t.equal(await world.settled(bomb.allocId), 0);
    }
    if (limits.includes('memory')) {
      const hog = world.task('tail /dev/zero', { resources: { name: 'web', cpu: 100, memory: 20 } });
      const exit = await (await world.start(hog)).exited;
      t.match(exit, { exitCode: 137, oomKilled: true });
    }
  });

  t.test('what is not there is named', async (t) => {
    const world = await openWorld(t, subject);
    const start = (command: string): Promise<unknown> => world.start(world.task('', { config: { command } }));
    await t.rejects(start('/opt/no/such/thing'), /no file \/opt\/no\/such\/thing in the file system of the task/);
    await t.rejects(start('no-such-command'), /"no-such-command" was found neither/);
    await t.rejects(start('/etc/passwd'), /\/etc\/passwd is not executable/);
    await t.rejects(world.start(world.task('true', { user: 'root' })), DriverError);
    const missing = world.task('true', { mounts: [{ source: '/no/such/folder', destination: '/x', readOnly: true }] });
    await t.rejects(world.start(missing), { cause: { message: /\/no\/such\/folder/ } }, 'the setup says why');
    t.equal(await world.settled(missing.allocId), 0);
  });

  t.test('java runs a class and a jar behind the same walls', async (t) => {
    const driver = createDrivers({ clock: systemClock, log: silentLogger }).find((d) => d.name === 'java')!;
    const javac = spawnSync('javac', ['-version']).status === 0;
    const info = await driver.fingerprint();
    if (!info.detected || !javac) return t.pass(`not tried: ${info.description}`);
    t.match(info.attributes, { 'driver.java': '1', 'driver.java.version': /^\d/, 'driver.java.vm': /\w/ });
    t.match(driver.validate({}), [/jar_path: is required, or class/]);
    t.match(driver.validate({ class: 'A', jar_path: 'a.jar' }), [/either/]);
    const world = await openWorld(t, { ...subject, create: () => driver });
    const config = { class: 'Hello', class_path: '/local', jvm_options: ['-Xmx16m', '-Dwho=world'], args: ['a b'] };
    const task = world.task('', { config, resources: { name: 'web', cpu: 500, memory: 512 } });
    await mkdir(task.dirs.local, { recursive: true });
    const source = 'public class Hello { public static void main(String[] a) { System.out.println(System.getProperty("who") + a[0]); System.exit(3); } }';
    await writeFile(join(task.dirs.local, 'Hello.java'), source);
    t.equal(spawnSync('javac', ['Hello.java'], { cwd: task.dirs.local }).status, 0);
    t.match(await (await world.start(task)).exited, { exitCode: 3 });
    t.equal(await world.log(task, 'stdout'), 'worlda b\n');
  });

  t.test('no network', async (t) => {
    const world = await openWorld(t, subject);
    const task = world.task('cat /proc/net/dev | grep -c :; cat /proc/sys/kernel/hostname', { network: { mode: 'none', hostname: 'alone' } });
    await (await world.start(task)).exited;
    t.equal(await world.log(task, 'stdout'), '1\nalone\n');
  });
} // prettier-ignore

/**
 * A disk that boots: its first sector tells the serial port that it is there, waits for the power button (bit 8 of the status register
 * of ACPI at 0x600, once it is enabled at 0x602), says so, and switches off (0x604). `deaf` takes no notice of the button.
 */
function bootableDisk(deaf: boolean): Buffer {
  const code = [
    0xfa, 0x31, 0xc0, 0x8e, 0xd8, // cli; ds = 0
    0xba, 0x02, 0x06, 0xb8, 0x00, 0x01, 0xef, // enable the button
    0xbe, 0x80, 0x7c, 0xe8, 0x19, 0x00, // print(0x7c80)
    0xba, 0x00, 0x06, 0xed, 0xf6, 0xc4, 0x01, 0x74, 0xf7, // until it is pressed
    ...(deaf ? [0xeb, 0xf5] : [0x90, 0x90]), // and again
    0xbe, 0xa0, 0x7c, 0xe8, 0x08, 0x00, // print(0x7ca0)
    0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, 0xf4, // off
    0xba, 0xf8, 0x03, 0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8, 0xc3, // print
  ]; // prettier-ignore
  const disk = Buffer.alloc(64 * 1024);
  disk.set(code);
  disk.write('up and running\n\0', 0x80, 'latin1');
  disk.write('good night\n\0', 0xa0, 'latin1');
  disk.writeUInt16LE(0xaa55, 510);
  return disk;
}

const qemu = createDrivers({ clock: systemClock, log: silentLogger }).find((d) => d.name === 'qemu')!;
const found = isPlayingAgent ? undefined : await qemu.fingerprint();
if (found?.detected === false) t.comment(`qemu is not tested: ${found.description}`);
if (!isPlayingAgent) {
  t.test('qemu: what it refuses', (t) => {
    t.same(qemu.validate({ image_path: 'local/x.img', accelerator: 'tcg', port_map: [{ http: 80 }] }), []);
    for (const path of ['../x.img', '/etc/shadow', 'local/../../x', 'secrets/x', 'local/'])
      t.match(qemu.validate({ image_path: path }), [/image_path: must be below local\/ or alloc\//], path);
    t.match(qemu.validate({ image_path: 'local/x', accelerator: 'kvm' }), [/kvm is not built yet/]);
    t.match(qemu.validate({}), [/image_path: is required/]);
    t.match(qemu.validate({ image_path: 'local/x', port_map: { http: 'x' } }), [/port_map.http: must be a port/]);
    t.end();
  });

  t.test('qemu: virtual machines', { skip: found?.detected === false && found.description! }, async (t) => {
    t.match(found, { healthy: true, attributes: { 'driver.qemu': '1', 'driver.qemu.version': /^\d+\.\d+/ } });
    const machines: DriverUnderTest = { ...subject, create: () => createDrivers({ clock: systemClock, log: silentLogger }).find((d) => d.name === 'qemu')! }; // prettier-ignore
    const world = await openWorld(t, machines);
    const listener = createServer();
    await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
    const { port } = listener.address() as AddressInfo;
    await new Promise((done) => listener.close(done));
    const start = async (config: object, deaf = false) => {
      const task = world.task('', {
        config: { image_path: 'local/disk.img', ...config },
        ports: [{ label: 'http', value: port, to: port, hostIP: '127.0.0.1' }],
      });
      await mkdir(task.dirs.local, { recursive: true });
      await writeFile(join(task.dirs.local, 'disk.img'), bootableDisk(deaf));
      const handle = await world.start(task);
      await world.logged(task, 'up and running');
      return { task, handle };
    };

    const graceful = await start({ graceful_shutdown: true, port_map: { http: 80 } });
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.destroy();
    t.ok((await graceful.handle.stats())!.memoryBytes > 0);
    // An agent that comes back asks in the same way.
    await graceful.handle.detach();
    const again = (await world.recover(graceful.handle.state, graceful.task))!;
    await again.kill(undefined, 120_000);
    t.match(await again.exited, { exitCode: 0, signal: 0 });
    t.match(await world.log(graceful.task, 'stdout'), /good night/, 'the guest was asked, and ended by itself');

    const plain = await start({});
    await plain.handle.kill('SIGTERM', 120_000);
    t.notMatch(await world.log(plain.task, 'stdout'), /good night/);

    const deaf = await start({ graceful_shutdown: true }, true);
    await deaf.handle.kill(undefined, 200);
    t.match(await deaf.handle.exited, { signal: 9 });
    for (const { task } of [graceful, plain, deaf]) t.equal(await world.settled(task.allocId), 0, 'nothing is left');

    const missing = world.task('', { config: { image_path: 'local/none.img' } });
    await t.rejects(world.start(missing), /the image \/local\/none.img cannot be opened/);
    const linked = world.task('', { config: { image_path: 'local/link.img' } });
    await mkdir(linked.dirs.local, { recursive: true });
    await symlink('/etc/passwd', join(linked.dirs.local, 'link.img'));
    await t.rejects(world.start(linked), /cannot be opened/, 'a link is not followed');
  });
}
