import type { Fields } from './fields.ts';

const later = 'is not built in orch yet';

/** `config` of a raw_exec task. */
export const rawExecFields: Fields = {
  command: { type: 'text', required: true },
  args: { type: 'texts' },
  cgroup_v1_override: { type: 'refused', because: later },
  cgroup_v2_override: { type: 'refused', because: later },
  oom_score_adj: { type: 'refused', because: later },
  work_dir: { type: 'refused', because: later },
  denied_envvars: { type: 'refused', because: later },
};
