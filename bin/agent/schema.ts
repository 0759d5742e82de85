/**
 * What an agent's configuration file may say. Every key is one of three things: used; accepted without effect, with the reason
 * why that is right; or refused when it is set, because what it asks for is not built and the agent must not pretend.
 */
export type Schema = Readonly<Record<string, Field>>;

export type Field = (
  | { readonly type: 'string' | 'number' | 'bool' | 'duration' | 'strings' | 'map' | 'any' }
  | { readonly type: 'block'; readonly fields: Schema }
  /** A block with one label, possibly several of them: `host_volume "data" { … }`. */
  | { readonly type: 'labelled'; readonly fields: Schema }
) & {
  /** Accepted without effect: why. */
  readonly idle?: string;
  /** Refused: what is missing. */
  readonly refused?: string;
  /** With this value what is written is what happens, so there is nothing to tell or to refuse. */
  readonly harmless?: unknown;
};

const string = { type: 'string' } as const;
const number = { type: 'number' } as const;
const bool = { type: 'bool' } as const;
const duration = { type: 'duration' } as const;
const strings = { type: 'strings' } as const;
const map = { type: 'map' } as const;
const block = (fields: Schema) => ({ type: 'block', fields }) as const;

const membership = 'servers find each other through the store, not through gossip';
const consul = 'Consul is not supported; services are registered in the API';
const vault = 'Vault is not supported';
const security = 'access control is not built yet';
const tls = 'TLS is not built yet';

const join = block({ retry_join: strings, retry_interval: duration, retry_max: number, start_join: strings });

export const agentSchema: Schema = {
  name: string,
  region: string,
  datacenter: string,
  data_dir: string,
  bind_addr: string,
  log_level: string,
  log_json: bool,
  log_file: string,
  log_rotate_duration: { ...duration, idle: 'the log file is opened anew on SIGHUP' },
  log_rotate_bytes: { ...number, idle: 'the log file is opened anew on SIGHUP' },
  log_rotate_max_files: { ...number, idle: 'the log file is opened anew on SIGHUP' },
  log_include_location: { ...bool, idle: 'log lines name their part instead' },
  enable_debug: { ...bool, idle: 'there are no debug endpoints' },
  enable_syslog: { ...bool, refused: 'syslog is not supported', harmless: false },
  syslog_facility: { ...string, idle: 'syslog is not supported' },
  disable_update_check: { ...bool, idle: 'orch never calls home' },
  disable_anonymous_signature: { ...bool, idle: 'orch never calls home' },
  leave_on_interrupt: bool,
  leave_on_terminate: bool,
  http_api_response_headers: { ...map, refused: 'custom response headers are not supported' },
  plugin_dir: { ...string, idle: 'drivers are built in' },
  addresses: block({ http: string, rpc: string, serf: { ...string, idle: membership } }),
  advertise: block({ http: string, rpc: string, serf: { ...string, idle: membership } }),
  ports: block({ http: number, rpc: number, serf: number }),
  limits: {
    ...block({
      https_handshake_timeout: duration,
      http_max_conns_per_client: number,
      rpc_handshake_timeout: duration,
      rpc_max_conns_per_client: number,
    }),
    idle: 'the API server has limits of its own',
  },
  server: block({
    enabled: bool,
    bootstrap_expect: { ...number, idle: membership, harmless: 1 },
    data_dir: { ...string, idle: 'state is kept below data_dir' },
    encrypt: { ...string, idle: membership },
    server_join: { ...join, idle: membership },
    retry_join: { ...strings, idle: membership },
    start_join: { ...strings, idle: membership },
    rejoin_after_leave: { ...bool, idle: membership },
    raft_protocol: { ...number, idle: membership },
    raft_multiplier: { ...number, idle: membership },
    protocol_version: { ...number, idle: membership },
    num_schedulers: { ...number, idle: 'one scheduler works at a time and is not the bottleneck' },
    enabled_schedulers: { ...strings, idle: 'one scheduler works for all types' },
    heartbeat_grace: duration,
    min_heartbeat_ttl: duration,
    require_datacenters: bool,
    etcd_endpoints: strings,
    etcd_prefix: string,
    etcd_ca_file: string,
    etcd_cert_file: string,
    etcd_key_file: string,
    etcd_server_name: string,
    etcd_username: string,
    etcd_password_file: string,
    node_gc_threshold: duration,
    job_gc_threshold: duration,
    eval_gc_threshold: duration,
    deployment_gc_threshold: duration,
    job_gc_interval: { ...duration, idle: 'collection happens when an object is due' },
  }),
  keyring: block({ file: string }),
  client: block({
    enabled: bool,
    servers: strings,
    server_join: join,
    retry_join: strings,
    node_class: string,
    node_pool: string,
    meta: map,
    options: map,
    state_dir: { ...string, idle: 'state is kept below data_dir' },
    alloc_dir: { ...string, idle: 'allocations are kept below data_dir' },
    network_interface: string,
    network_speed: { ...number, idle: 'bandwidth is not scheduled' },
    cpu_total_compute: number,
    memory_total_mb: number,
    disk_total_mb: { ...number, refused: 'a total for the disk cannot be set' },
    max_kill_timeout: duration,
    min_dynamic_port: { ...number, refused: 'dynamic ports are 20000-32000', harmless: 20000 },
    max_dynamic_port: { ...number, refused: 'dynamic ports are 20000-32000', harmless: 32000 },
    no_host_uuid: { ...bool, idle: 'node IDs are random' },
    gc_interval: { ...duration, idle: 'collection happens when an allocation is due' },
    gc_disk_usage_threshold: { ...number, idle: 'allocations are collected by number' },
    gc_inode_usage_threshold: { ...number, idle: 'allocations are collected by number' },
    gc_parallel_destroys: { ...number, idle: 'allocations are collected one by one' },
    gc_max_allocs: number,
    kept_logs: block({ time: duration, mb_per_job: number }),
    discovery: block({ enabled: bool, address: string, dns_port: number, http_port: number, domain: string, ttl: duration }),
    reserved: block({
      cpu: number,
      memory: number,
      disk: number,
      reserved_ports: string,
      cores: { ...string, refused: 'cores cannot be reserved' },
    }),
    host_volume: { type: 'labelled', fields: { path: string, read_only: bool } },
    host_network: {
      type: 'labelled',
      fields: { cidr: string, interface: string, reserved_ports: string },
      refused: 'host networks other than the default are not built yet',
    },
    cni_path: { ...string, refused: 'CNI is not built yet' },
    cni_config_dir: { ...string, refused: 'CNI is not built yet' },
    bridge_network_name: { ...string, idle: 'bridge networks are those of the Docker engine' },
    bridge_network_subnet: { ...string, idle: 'bridge networks are those of the Docker engine' },
    template: { type: 'any', refused: 'templates are not built yet' },
    artifact: { type: 'any', refused: 'artifacts are not built yet' },
    chroot_env: { ...map, refused: 'the exec driver is not built yet' },
  }),
  plugin: { type: 'labelled', fields: { config: { type: 'any' }, args: strings } },
  acl: block({
    enabled: { ...bool, refused: security, harmless: false },
    token_ttl: { ...duration, idle: security },
    policy_ttl: { ...duration, idle: security },
    role_ttl: { ...duration, idle: security },
    replication_token: { ...string, refused: security },
  }),
  tls: block({
    http: { ...bool, refused: tls, harmless: false },
    rpc: { ...bool, refused: tls, harmless: false },
    ca_file: { ...string, idle: tls },
    cert_file: { ...string, idle: tls },
    key_file: { ...string, idle: tls },
    verify_server_hostname: { ...bool, idle: tls },
    verify_https_client: { ...bool, idle: tls },
    rpc_upgrade_mode: { ...bool, idle: tls },
    tls_cipher_suites: { ...string, idle: tls },
    tls_min_version: { ...string, idle: tls },
  }),
  telemetry: { type: 'any', idle: 'metrics are always at /metrics, in the format of Prometheus' },
  ui: { type: 'any', idle: 'there is no web page yet' },
  consul: { type: 'any', idle: consul },
  vault: { type: 'any', refused: vault, harmless: { enabled: false } },
  sentinel: { type: 'any', refused: 'Sentinel is not supported' },
  autopilot: { type: 'any', idle: membership },
  audit: { type: 'any', refused: 'audit logs are not built yet' },
};
