/**
 * The job file as a table: every block, every field, with its name in job files (HCL), in the Job resource (camelCase; blocks that repeat
 * are plural lists) and in Nomad's JSON API. Decoding, printing and the conversions to and from the API all walk this one table.
 */

/** What a field holds. */
export type Field = {
  readonly hcl: string;
  readonly name: string;
  readonly api: string;
  /** Not part of the API of Nomad 1.1, whose JSON has every field of its time even when empty: written only when set. */
  readonly late?: true;
  /** Must be given in a job file. */
  readonly required?: true;
  /** Another name that job files may use. */
  readonly alias?: string;
} & (
  | {
      readonly kind: 'string' | 'int' | 'bool' | 'duration';
      /** What the API has when the field is not set. */ readonly empty: null | '' | 0 | false;
    }
  | { readonly kind: 'strings' | 'ints' | 'map' | 'lists' | 'free' }
  | { readonly kind: 'block'; readonly schema: BlockSchema }
  | {
      readonly kind: 'blocks';
      readonly schema: BlockSchema;
      /** A map by this field in the API, where the resource has a list. */ readonly keyedBy?: string;
    }
);

export interface BlockSchema {
  readonly name: string;
  /** The field that a block's label fills, and what messages call it. */
  readonly label?: {
    readonly name: string;
    readonly api: string;
    readonly title: string;
    readonly optional?: true;
    readonly late?: true;
  };
  readonly fields: readonly Field[];
  /** Fields that the API has and a job file cannot set, with their empty value. */
  readonly constant?: Readonly<Record<string, null | '' | 0 | false>>;
  /** Blocks whose values are converted as a whole: messages name the attribute, and fields with other names may be given. */
  readonly form?: 'constraint' | 'affinity';
}

type Extra = { late?: true; required?: true; name?: string; alias?: string };

const camel = (hcl: string): string => hcl.replace(/_(\w)/g, (_, c: string) => c.toUpperCase());
const base = (hcl: string, api: string, { name, ...rest }: Extra) => ({ hcl, name: name ?? camel(hcl), api, ...rest });

// A pointer in the API is null when absent; a plain value is its type's zero.
const str = (hcl: string, api: string, more: Extra = {}): Field => ({ ...base(hcl, api, more), kind: 'string', empty: '' });
const strp = (hcl: string, api: string, more: Extra = {}): Field => ({ ...base(hcl, api, more), kind: 'string', empty: null });
const int = (hcl: string, api: string, more: Extra = {}): Field => ({ ...base(hcl, api, more), kind: 'int', empty: 0 });
const intp = (hcl: string, api: string, more: Extra = {}): Field => ({ ...base(hcl, api, more), kind: 'int', empty: null });
const flag = (hcl: string, api: string, more: Extra = {}): Field => ({ ...base(hcl, api, more), kind: 'bool', empty: false });
const flagp = (hcl: string, api: string, more: Extra = {}): Field => ({ ...base(hcl, api, more), kind: 'bool', empty: null });
const dur = (hcl: string, api: string, more: Extra = {}): Field => ({ ...base(hcl, api, more), kind: 'duration', empty: 0 });
const durp = (hcl: string, api: string, more: Extra = {}): Field => ({ ...base(hcl, api, more), kind: 'duration', empty: null });
const strs = (hcl: string, api: string, more: Extra = {}): Field => ({ ...base(hcl, api, more), kind: 'strings' });
const ints = (hcl: string, api: string, more: Extra = {}): Field => ({ ...base(hcl, api, more), kind: 'ints' });
const map = (hcl: string, api: string, more: Extra = {}): Field => ({ ...base(hcl, api, more), kind: 'map' });
const lists = (hcl: string, api: string, more: Extra = {}): Field => ({ ...base(hcl, api, more), kind: 'lists' });
const free = (hcl: string, api: string, more: Extra = {}): Field => ({ ...base(hcl, api, more), kind: 'free' });
const block = (hcl: string, api: string, schema: BlockSchema, more: Extra = {}): Field => ({
  ...base(hcl, api, more),
  kind: 'block',
  schema,
});
const blocks = (hcl: string, name: string, api: string, schema: BlockSchema, more: Extra & { keyedBy?: string } = {}): Field => {
  const { keyedBy, ...rest } = more;
  const field = { ...base(hcl, api, { ...rest, name }), kind: 'blocks' as const, schema };
  return keyedBy === undefined ? field : { ...field, keyedBy };
};

const LATE = { late: true } as const;

const constraint: BlockSchema = {
  name: 'Constraint',
  form: 'constraint',
  fields: [str('attribute', 'LTarget'), str('value', 'RTarget'), str('operator', 'Operand')],
};

const affinity: BlockSchema = {
  name: 'Affinity',
  form: 'affinity',
  fields: [...constraint.fields, intp('weight', 'Weight')],
};

const spread: BlockSchema = {
  name: 'Spread',
  fields: [
    str('attribute', 'Attribute'),
    intp('weight', 'Weight'),
    blocks('target', 'targets', 'SpreadTarget', {
      name: 'SpreadTarget',
      label: { name: 'value', api: 'Value', title: 'value' },
      fields: [int('percent', 'Percent')],
    }),
  ],
};

const restart: BlockSchema = {
  name: 'RestartPolicy',
  fields: [
    durp('interval', 'Interval'),
    intp('attempts', 'Attempts'),
    durp('delay', 'Delay'),
    strp('mode', 'Mode'),
    flagp('render_templates', 'RenderTemplates', LATE),
  ],
};

const reschedule: BlockSchema = {
  name: 'ReschedulePolicy',
  fields: [
    intp('attempts', 'Attempts'),
    durp('interval', 'Interval'),
    durp('delay', 'Delay'),
    strp('delay_function', 'DelayFunction'),
    durp('max_delay', 'MaxDelay'),
    flagp('unlimited', 'Unlimited'),
  ],
};

const update: BlockSchema = {
  name: 'UpdateStrategy',
  fields: [
    durp('stagger', 'Stagger'),
    intp('max_parallel', 'MaxParallel'),
    strp('health_check', 'HealthCheck'),
    durp('min_healthy_time', 'MinHealthyTime'),
    durp('healthy_deadline', 'HealthyDeadline'),
    durp('progress_deadline', 'ProgressDeadline'),
    intp('max_surge', 'MaxSurge', LATE),
    intp('canary', 'Canary'),
    flagp('auto_revert', 'AutoRevert'),
    flagp('auto_promote', 'AutoPromote'),
  ],
};

const migrate: BlockSchema = {
  name: 'MigrateStrategy',
  fields: [
    intp('max_parallel', 'MaxParallel'),
    strp('health_check', 'HealthCheck'),
    durp('min_healthy_time', 'MinHealthyTime'),
    durp('healthy_deadline', 'HealthyDeadline'),
  ],
};

export const port: BlockSchema = {
  name: 'Port',
  label: { name: 'label', api: 'Label', title: 'label' },
  fields: [
    int('static', 'Value'),
    int('to', 'To'),
    str('host_network', 'HostNetwork'),
    flag('ignore_collision', 'IgnoreCollision', LATE),
  ],
};

const network: BlockSchema = {
  name: 'NetworkResource',
  fields: [
    str('mode', 'Mode'),
    str('device', 'Device'),
    str('cidr', 'CIDR'),
    str('ip', 'IP'),
    str('hostname', 'Hostname', LATE),
    block('dns', 'DNS', {
      name: 'DNSConfig',
      fields: [strs('servers', 'Servers'), strs('searches', 'Searches'), strs('options', 'Options')],
    }),
    // The API keeps ports with a static number apart; see nomad/ports.
    blocks('port', 'ports', 'DynamicPorts', port, { alias: 'reserved_ports' }),
    intp('mbits', 'MBits'),
    block('cni', 'CNI', { name: 'CNIConfig', fields: [map('args', 'Args')] }, LATE),
  ],
};

const device: BlockSchema = {
  name: 'RequestedDevice',
  label: { name: 'name', api: 'Name', title: 'name' },
  fields: [
    intp('count', 'Count'),
    blocks('constraint', 'constraints', 'Constraints', constraint),
    blocks('affinity', 'affinities', 'Affinities', affinity),
  ],
};

const resources: BlockSchema = {
  name: 'Resources',
  fields: [
    intp('cpu', 'CPU'),
    intp('cores', 'Cores'),
    intp('memory', 'MemoryMB'),
    intp('memory_max', 'MemoryMaxMB'),
    intp('disk', 'DiskMB'),
    blocks('network', 'networks', 'Networks', network),
    blocks('device', 'devices', 'Devices', device),
    block('numa', 'NUMA', { name: 'NUMAResource', fields: [str('affinity', 'Affinity'), strs('devices', 'Devices')] }, LATE),
    intp('secrets', 'SecretsMB', LATE),
    intp('iops', 'IOPS'),
  ],
};

const logs: BlockSchema = {
  name: 'LogConfig',
  fields: [
    intp('max_files', 'MaxFiles'),
    intp('max_file_size', 'MaxFileSizeMB'),
    flagp('enabled', 'Enabled', LATE),
    flagp('disabled', 'Disabled', LATE),
  ],
};

const volumeMount: BlockSchema = {
  name: 'VolumeMount',
  fields: [
    strp('volume', 'Volume'),
    strp('destination', 'Destination'),
    flagp('read_only', 'ReadOnly'),
    strp('propagation_mode', 'PropagationMode'),
    strp('selinux_label', 'SELinuxLabel', LATE),
  ],
};

const identity: BlockSchema = {
  name: 'WorkloadIdentity',
  fields: [
    str('name', 'Name'),
    strs('aud', 'Audience'),
    str('change_mode', 'ChangeMode'),
    str('change_signal', 'ChangeSignal'),
    flag('env', 'Env'),
    flag('file', 'File'),
    str('filepath', 'Filepath'),
    str('service_name', 'ServiceName'),
    dur('ttl', 'TTL'),
    strs('extra_claims', 'ExtraClaims', LATE),
  ],
};

const checkRestart: BlockSchema = {
  name: 'CheckRestart',
  fields: [int('limit', 'Limit'), durp('grace', 'Grace'), flag('ignore_warnings', 'IgnoreWarnings')],
};

const check: BlockSchema = {
  name: 'ServiceCheck',
  constant: { Id: '' },
  fields: [
    str('name', 'Name'),
    str('type', 'Type'),
    str('command', 'Command'),
    strs('args', 'Args'),
    str('path', 'Path'),
    str('protocol', 'Protocol'),
    str('port', 'PortLabel'),
    flag('expose', 'Expose'),
    str('address_mode', 'AddressMode'),
    str('advertise', 'Advertise', LATE),
    dur('interval', 'Interval'),
    dur('timeout', 'Timeout'),
    str('initial_status', 'InitialStatus'),
    str('notes', 'Notes', LATE),
    str('tls_server_name', 'TLSServerName', LATE),
    flag('tls_skip_verify', 'TLSSkipVerify'),
    lists('header', 'Header'),
    str('method', 'Method'),
    block('check_restart', 'CheckRestart', checkRestart),
    str('grpc_service', 'GRPCService'),
    flag('grpc_use_tls', 'GRPCUseTLS'),
    str('task', 'TaskName'),
    int('success_before_passing', 'SuccessBeforePassing'),
    int('failures_before_critical', 'FailuresBeforeCritical'),
    int('failures_before_warning', 'FailuresBeforeWarning', LATE),
    str('body', 'Body'),
    str('on_update', 'OnUpdate'),
  ],
};

const meshGateway: BlockSchema = { name: 'ConsulMeshGateway', fields: [str('mode', 'Mode')] };

const proxy: BlockSchema = {
  name: 'ConsulProxy',
  fields: [
    str('local_service_address', 'LocalServiceAddress'),
    int('local_service_port', 'LocalServicePort'),
    block('expose', 'ExposeConfig', {
      name: 'ConsulExposeConfig',
      fields: [
        blocks('path', 'paths', 'Path', {
          name: 'ConsulExposePath',
          fields: [
            str('path', 'Path'),
            str('protocol', 'Protocol'),
            int('local_path_port', 'LocalPathPort'),
            str('listener_port', 'ListenerPort'),
          ],
        }),
      ],
    }),
    blocks('upstreams', 'upstreams', 'Upstreams', {
      name: 'ConsulUpstream',
      fields: [
        str('destination_name', 'DestinationName'),
        str('destination_namespace', 'DestinationNamespace', LATE),
        str('destination_peer', 'DestinationPeer', LATE),
        str('destination_partition', 'DestinationPartition', LATE),
        str('destination_type', 'DestinationType', LATE),
        int('local_bind_port', 'LocalBindPort'),
        str('datacenter', 'Datacenter'),
        str('local_bind_address', 'LocalBindAddress'),
        str('local_bind_socket_path', 'LocalBindSocketPath', LATE),
        str('local_bind_socket_mode', 'LocalBindSocketMode', LATE),
        block('mesh_gateway', 'MeshGateway', meshGateway),
        free('config', 'Config', LATE),
      ],
    }),
    block(
      'transparent_proxy',
      'TransparentProxy',
      {
        name: 'ConsulTransparentProxy',
        fields: [
          str('uid', 'UID'),
          int('outbound_port', 'OutboundPort'),
          strs('exclude_inbound_ports', 'ExcludeInboundPorts'),
          ints('exclude_outbound_ports', 'ExcludeOutboundPorts'),
          strs('exclude_outbound_cidrs', 'ExcludeOutboundCIDRs'),
          strs('exclude_uids', 'ExcludeUIDs'),
          flag('no_dns', 'NoDNS'),
        ],
      },
      LATE,
    ),
    free('config', 'Config'),
  ],
};

const gatewayTls: BlockSchema = {
  name: 'ConsulGatewayTLSConfig',
  fields: [
    flag('enabled', 'Enabled'),
    str('tls_min_version', 'TLSMinVersion', LATE),
    str('tls_max_version', 'TLSMaxVersion', LATE),
    strs('cipher_suites', 'CipherSuites', LATE),
    block(
      'sds',
      'SDS',
      { name: 'ConsulGatewayTLSSDSConfig', fields: [str('cluster_name', 'ClusterName'), str('cert_resource', 'CertResource')] },
      LATE,
    ),
  ],
};

const headerModifiers: BlockSchema = {
  name: 'ConsulHTTPHeaderModifiers',
  fields: [map('add', 'Add'), map('set', 'Set'), strs('remove', 'Remove')],
};

const gateway: BlockSchema = {
  name: 'ConsulGateway',
  fields: [
    block('proxy', 'Proxy', {
      name: 'ConsulGatewayProxy',
      fields: [
        durp('connect_timeout', 'ConnectTimeout'),
        flag('envoy_gateway_bind_tagged_addresses', 'EnvoyGatewayBindTaggedAddresses'),
        blocks(
          'envoy_gateway_bind_addresses',
          'envoyGatewayBindAddresses',
          'EnvoyGatewayBindAddresses',
          {
            name: 'ConsulGatewayBindAddress',
            label: { name: 'name', api: 'Name', title: 'name' },
            fields: [str('address', 'Address'), int('port', 'Port')],
          },
          { keyedBy: 'name' },
        ),
        flag('envoy_gateway_no_default_bind', 'EnvoyGatewayNoDefaultBind'),
        str('envoy_dns_discovery_type', 'EnvoyDNSDiscoveryType'),
        free('config', 'Config'),
      ],
    }),
    block('ingress', 'Ingress', {
      name: 'ConsulIngressConfigEntry',
      fields: [
        block('tls', 'TLS', gatewayTls),
        blocks('listener', 'listeners', 'Listeners', {
          name: 'ConsulIngressListener',
          fields: [
            int('port', 'Port'),
            str('protocol', 'Protocol'),
            blocks('service', 'services', 'Services', {
              name: 'ConsulIngressService',
              fields: [
                str('name', 'Name'),
                strs('hosts', 'Hosts'),
                block('tls', 'TLS', gatewayTls, LATE),
                block('request_headers', 'RequestHeaders', headerModifiers, LATE),
                block('response_headers', 'ResponseHeaders', headerModifiers, LATE),
                intp('max_connections', 'MaxConnections', LATE),
                intp('max_pending_requests', 'MaxPendingRequests', LATE),
                intp('max_concurrent_requests', 'MaxConcurrentRequests', LATE),
              ],
            }),
          ],
        }),
      ],
    }),
    block('terminating', 'Terminating', {
      name: 'ConsulTerminatingConfigEntry',
      fields: [
        blocks('service', 'services', 'Services', {
          name: 'ConsulLinkedService',
          fields: [
            str('name', 'Name'),
            str('ca_file', 'CAFile'),
            str('cert_file', 'CertFile'),
            str('key_file', 'KeyFile'),
            str('sni', 'SNI'),
          ],
        }),
      ],
    }),
    block('mesh', 'Mesh', { name: 'ConsulMeshConfigEntry', fields: [] }, LATE),
  ],
};

const sidecarTask: BlockSchema = {
  name: 'SidecarTask',
  fields: [
    str('name', 'Name'),
    str('driver', 'Driver'),
    str('user', 'User'),
    free('config', 'Config'),
    map('env', 'Env'),
    block('resources', 'Resources', resources),
    map('meta', 'Meta'),
    durp('kill_timeout', 'KillTimeout'),
    block('logs', 'LogConfig', logs),
    durp('shutdown_delay', 'ShutdownDelay'),
    str('kill_signal', 'KillSignal'),
    blocks('volume_mount', 'volumeMounts', 'VolumeMounts', volumeMount, LATE),
    blocks('identity', 'identities', 'Identities', identity, LATE),
  ],
};

const connect: BlockSchema = {
  name: 'ConsulConnect',
  fields: [
    flag('native', 'Native'),
    block('gateway', 'Gateway', gateway),
    block('sidecar_service', 'SidecarService', {
      name: 'ConsulSidecarService',
      fields: [
        strs('tags', 'Tags'),
        str('port', 'Port'),
        block('proxy', 'Proxy', proxy),
        flag('disable_default_tcp_check', 'DisableDefaultTCPCheck'),
        map('meta', 'Meta', LATE),
      ],
    }),
    block('sidecar_task', 'SidecarTask', sidecarTask),
  ],
};

const service: BlockSchema = {
  name: 'Service',
  constant: { Id: '' },
  fields: [
    str('name', 'Name'),
    strs('tags', 'Tags'),
    strs('canary_tags', 'CanaryTags'),
    flag('enable_tag_override', 'EnableTagOverride'),
    str('port', 'PortLabel'),
    str('address_mode', 'AddressMode'),
    str('address', 'Address', LATE),
    blocks('check', 'checks', 'Checks', check),
    block('check_restart', 'CheckRestart', checkRestart),
    block('connect', 'Connect', connect),
    map('meta', 'Meta'),
    map('canary_meta', 'CanaryMeta'),
    map('tagged_addresses', 'TaggedAddresses', LATE),
    str('task', 'TaskName'),
    str('on_update', 'OnUpdate'),
    block('identity', 'Identity', identity, LATE),
    block('weights', 'Weights', { name: 'ServiceWeights', fields: [int('passing', 'Passing'), int('warning', 'Warning')] }, LATE),
    str('provider', 'Provider', LATE),
    str('cluster', 'Cluster', LATE),
    str('kind', 'Kind', LATE),
  ],
};

export const scaling: BlockSchema = {
  name: 'ScalingPolicy',
  constant: { ID: '', Namespace: '', Target: null, CreateIndex: 0, ModifyIndex: 0 },
  fields: [
    intp('min', 'Min'),
    intp('max', 'Max', { required: true }),
    free('policy', 'Policy'),
    flagp('enabled', 'Enabled'),
    str('type', 'Type'),
  ],
};

const vault: BlockSchema = {
  name: 'Vault',
  fields: [
    strs('policies', 'Policies'),
    str('role', 'Role', LATE),
    strp('namespace', 'Namespace'),
    str('cluster', 'Cluster', LATE),
    flagp('env', 'Env'),
    flagp('disable_file', 'DisableFile', LATE),
    strp('change_mode', 'ChangeMode'),
    strp('change_signal', 'ChangeSignal'),
    flagp('allow_token_expiration', 'AllowTokenExpiration', LATE),
  ],
};

const consul: BlockSchema = {
  name: 'Consul',
  fields: [str('namespace', 'Namespace'), str('cluster', 'Cluster', LATE), str('partition', 'Partition', LATE)],
};

const task: BlockSchema = {
  name: 'Task',
  label: { name: 'name', api: 'Name', title: 'name' },
  fields: [
    str('driver', 'Driver'),
    str('user', 'User'),
    block('lifecycle', 'Lifecycle', { name: 'TaskLifecycle', fields: [str('hook', 'Hook'), flag('sidecar', 'Sidecar')] }),
    free('config', 'Config'),
    blocks('constraint', 'constraints', 'Constraints', constraint),
    blocks('affinity', 'affinities', 'Affinities', affinity),
    map('env', 'Env'),
    blocks('service', 'services', 'Services', service),
    block('resources', 'Resources', resources),
    block('restart', 'RestartPolicy', restart),
    map('meta', 'Meta'),
    durp('kill_timeout', 'KillTimeout'),
    block('logs', 'LogConfig', logs),
    blocks('artifact', 'artifacts', 'Artifacts', {
      name: 'TaskArtifact',
      fields: [
        strp('source', 'GetterSource'),
        map('options', 'GetterOptions'),
        map('headers', 'GetterHeaders'),
        strp('mode', 'GetterMode'),
        flag('insecure', 'GetterInsecure', LATE),
        strp('destination', 'RelativeDest'),
        flag('chown', 'Chown', LATE),
      ],
    }),
    block('vault', 'Vault', vault),
    block('consul', 'Consul', consul, LATE),
    blocks('template', 'templates', 'Templates', {
      name: 'Template',
      fields: [
        strp('source', 'SourcePath'),
        strp('destination', 'DestPath'),
        strp('data', 'EmbeddedTmpl'),
        strp('change_mode', 'ChangeMode'),
        block(
          'change_script',
          'ChangeScript',
          {
            name: 'ChangeScript',
            fields: [
              strp('command', 'Command'),
              strs('args', 'Args'),
              durp('timeout', 'Timeout'),
              flagp('fail_on_error', 'FailOnError'),
              flagp('run_on_first_render', 'RunOnFirstRender', LATE),
            ],
          },
          LATE,
        ),
        strp('change_signal', 'ChangeSignal'),
        flagp('once', 'Once', LATE),
        durp('splay', 'Splay'),
        strp('perms', 'Perms'),
        intp('uid', 'Uid', LATE),
        intp('gid', 'Gid', LATE),
        strp('left_delimiter', 'LeftDelim'),
        strp('right_delimiter', 'RightDelim'),
        flagp('env', 'Envvars'),
        durp('vault_grace', 'VaultGrace'),
        block('wait', 'Wait', { name: 'WaitConfig', fields: [durp('min', 'Min'), durp('max', 'Max')] }, LATE),
        flagp('error_on_missing_key', 'ErrMissingKey', LATE),
      ],
    }),
    block('dispatch_payload', 'DispatchPayload', { name: 'DispatchPayloadConfig', fields: [str('file', 'File')] }),
    blocks('volume_mount', 'volumeMounts', 'VolumeMounts', volumeMount),
    block(
      'csi_plugin',
      'CSIPluginConfig',
      {
        name: 'TaskCSIPluginConfig',
        fields: [
          str('id', 'ID'),
          str('type', 'Type'),
          str('mount_dir', 'MountDir'),
          str('stage_publish_base_dir', 'StagePublishBaseDir', LATE),
          dur('health_timeout', 'HealthTimeout', LATE),
        ],
      },
      LATE,
    ),
    flag('leader', 'Leader'),
    dur('shutdown_delay', 'ShutdownDelay'),
    str('kill_signal', 'KillSignal'),
    str('kind', 'Kind'),
    blocks('scaling', 'scalings', 'ScalingPolicies', scaling),
    blocks(
      'secret',
      'secrets',
      'Secrets',
      {
        name: 'Secret',
        label: { name: 'name', api: 'Name', title: 'name' },
        fields: [str('provider', 'Provider'), str('path', 'Path'), free('config', 'Config'), map('env', 'Env')],
      },
      LATE,
    ),
    blocks('identity', 'identities', 'Identities', identity, LATE),
    blocks(
      'action',
      'actions',
      'Actions',
      {
        name: 'Action',
        label: { name: 'name', api: 'Name', title: 'name' },
        fields: [str('command', 'Command'), strs('args', 'Args')],
      },
      LATE,
    ),
    block(
      'schedule',
      'Schedule',
      {
        name: 'TaskSchedule',
        fields: [
          block('cron', 'Cron', {
            name: 'TaskScheduleCron',
            fields: [str('start', 'Start'), str('end', 'End'), str('timezone', 'Timezone')],
          }),
        ],
      },
      LATE,
    ),
  ],
};

const group: BlockSchema = {
  name: 'TaskGroup',
  label: { name: 'name', api: 'Name', title: 'name' },
  fields: [
    intp('count', 'Count'),
    blocks('constraint', 'constraints', 'Constraints', constraint),
    blocks('affinity', 'affinities', 'Affinities', affinity),
    blocks('task', 'tasks', 'Tasks', task),
    blocks('spread', 'spreads', 'Spreads', spread),
    blocks(
      'volume',
      'volumes',
      'Volumes',
      {
        name: 'VolumeRequest',
        label: { name: 'name', api: 'Name', title: 'name' },
        fields: [
          str('type', 'Type'),
          str('source', 'Source'),
          flag('read_only', 'ReadOnly'),
          flag('sticky', 'Sticky', LATE),
          str('access_mode', 'AccessMode'),
          str('attachment_mode', 'AttachmentMode'),
          block('mount_options', 'MountOptions', {
            name: 'CSIMountOptions',
            fields: [str('fs_type', 'FSType'), strs('mount_flags', 'MountFlags')],
          }),
          flag('per_alloc', 'PerAlloc'),
        ],
      },
      { keyedBy: 'name' },
    ),
    block('restart', 'RestartPolicy', restart),
    block(
      'disconnect',
      'Disconnect',
      {
        name: 'DisconnectStrategy',
        fields: [
          durp('lost_after', 'LostAfter'),
          durp('stop_on_client_after', 'StopOnClientAfter'),
          flagp('replace', 'Replace'),
          strp('reconcile', 'Reconcile'),
        ],
      },
      LATE,
    ),
    block('reschedule', 'ReschedulePolicy', reschedule),
    block('ephemeral_disk', 'EphemeralDisk', {
      name: 'EphemeralDisk',
      fields: [flagp('sticky', 'Sticky'), flagp('migrate', 'Migrate'), intp('size', 'SizeMB')],
    }),
    block('update', 'Update', update),
    block('migrate', 'Migrate', migrate),
    blocks('network', 'networks', 'Networks', network),
    map('meta', 'Meta'),
    blocks('service', 'services', 'Services', service),
    durp('shutdown_delay', 'ShutdownDelay'),
    durp('max_run_duration', 'MaxRunDuration', LATE),
    durp('stop_after_client_disconnect', 'StopAfterClientDisconnect'),
    durp('max_client_disconnect', 'MaxClientDisconnect', LATE),
    block('scaling', 'Scaling', scaling),
    block('consul', 'Consul', consul),
    flagp('prevent_reschedule_on_lost', 'PreventRescheduleOnLost', LATE),
  ],
};

const multiregion: BlockSchema = {
  name: 'Multiregion',
  fields: [
    block('strategy', 'Strategy', {
      name: 'MultiregionStrategy',
      fields: [intp('max_parallel', 'MaxParallel'), strp('on_failure', 'OnFailure')],
    }),
    blocks('region', 'regions', 'Regions', {
      name: 'MultiregionRegion',
      label: { name: 'name', api: 'Name', title: 'name' },
      fields: [
        intp('count', 'Count'),
        strs('datacenters', 'Datacenters'),
        strp('node_pool', 'NodePool', LATE),
        map('meta', 'Meta'),
      ],
    }),
  ],
};

/** The job block. Its label is the id; `namespace` is the resource's own. */
export const job: BlockSchema = {
  name: 'Job',
  label: { name: 'id', api: 'ID', title: 'name' },
  constant: {
    ConsulToken: null, VaultToken: null, Stop: null, ParentID: null, Dispatched: false, Payload: null, ConsulNamespace: null, VaultNamespace: null,
    NomadTokenID: null, Status: null, StatusDescription: null, Stable: null, Version: null, SubmitTime: null, CreateIndex: null,
    ModifyIndex: null, JobModifyIndex: null,
  }, // prettier-ignore
  fields: [
    strp('region', 'Region'),
    strp('name', 'Name'),
    strp('type', 'Type'),
    intp('priority', 'Priority'),
    flagp('all_at_once', 'AllAtOnce'),
    strs('datacenters', 'Datacenters'),
    strp('node_pool', 'NodePool', LATE),
    blocks('constraint', 'constraints', 'Constraints', constraint),
    blocks('affinity', 'affinities', 'Affinities', affinity),
    blocks('group', 'groups', 'TaskGroups', group),
    block('update', 'Update', update),
    block('multiregion', 'Multiregion', multiregion),
    blocks('spread', 'spreads', 'Spreads', spread),
    block('periodic', 'Periodic', {
      name: 'PeriodicConfig',
      fields: [
        flagp('enabled', 'Enabled'),
        strp('cron', 'Spec'),
        strs('crons', 'Specs', LATE),
        flagp('prohibit_overlap', 'ProhibitOverlap'),
        strp('time_zone', 'TimeZone'),
      ],
      constant: { SpecType: null },
    }),
    block('parameterized', 'ParameterizedJob', {
      name: 'ParameterizedJobConfig',
      fields: [str('payload', 'Payload'), strs('meta_required', 'MetaRequired'), strs('meta_optional', 'MetaOptional')],
    }),
    block('reschedule', 'Reschedule', reschedule),
    block('migrate', 'Migrate', migrate),
    map('meta', 'Meta'),
    block(
      'ui',
      'UI',
      {
        name: 'JobUIConfig',
        fields: [
          str('description', 'Description'),
          blocks('link', 'links', 'Links', {
            name: 'JobUILink',
            label: { name: 'label', api: 'Label', title: 'label', optional: true },
            fields: [str('url', 'Url')],
          }),
        ],
      },
      LATE,
    ),
  ],
};

export const vaultBlock = vault;
export const taskBlock = task;
