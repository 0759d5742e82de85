import type { Fields } from './fields.ts';

const later = 'is not built in orch yet';

/** What tasks behind walls have in common. */
export const isolationFields: Fields = {
  work_dir: { type: 'text' },
  pid_mode: { type: 'text', oneOf: ['private', 'host'] },
  ipc_mode: { type: 'text', oneOf: ['private', 'host'] },
  cap_add: { type: 'texts' },
  cap_drop: { type: 'texts' },
  pids_limit: { type: 'number' },
};

/** `config` of an exec task. */
export const execFields: Fields = {
  command: { type: 'text', required: true },
  args: { type: 'texts' },
  ...isolationFields,
  cgroup_v1_override: { type: 'refused', because: later },
  cgroup_v2_override: { type: 'refused', because: later },
  oom_score_adj: { type: 'refused', because: later },
  denied_envvars: { type: 'refused', because: later },
};

/** `config` of a java task. */
export const javaFields: Fields = {
  jar_path: { type: 'text' },
  class: { type: 'text' },
  class_path: { type: 'text' },
  jvm_options: { type: 'texts' },
  args: { type: 'texts' },
  ...isolationFields,
};
