import type { Fields } from './fields.ts';

const later = 'is not built in orch yet';

/** `config` of a qemu task. */
export const qemuFields: Fields = {
  image_path: { type: 'text', required: true },
  accelerator: { type: 'text' },
  graceful_shutdown: { type: 'flag' },
  port_map: { type: 'textMap' },
  args: { type: 'texts' },
  drive_interface: { type: 'text', oneOf: ['none', 'ide', 'scsi', 'sd', 'mtd', 'floppy', 'pflash', 'virtio'] },
  guest_agent: { type: 'refused', because: later },
  emulator: { type: 'refused', because: later },
};
