// Generated from crds/ by `npm run generate`. Do not edit.

import type { components } from './types.ts';
import { defineKind } from './kind.ts';

type Schemas = components['schemas'];
export type ObjectMeta = Schemas['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'];
export type OwnerReference = Schemas['io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference'];
export type Action = Schemas['dev.orch.v1.Action'];
export type Affinity = Schemas['dev.orch.v1.Affinity'];
export type AllocMetric = Schemas['dev.orch.v1.AllocMetric'];
export type AllocatedPort = Schemas['dev.orch.v1.AllocatedPort'];
export type AllocatedResources = Schemas['dev.orch.v1.AllocatedResources'];
export type Allocation = Schemas['dev.orch.v1.Allocation'];
export type AllocationNetworkStatus = Schemas['dev.orch.v1.AllocationNetworkStatus'];
export type AllocationSpec = Schemas['dev.orch.v1.AllocationSpec'];
export type AllocationStatus = Schemas['dev.orch.v1.AllocationStatus'];
export type Artifact = Schemas['dev.orch.v1.Artifact'];
export type CNIConfig = Schemas['dev.orch.v1.CNIConfig'];
export type CSIMountOptions = Schemas['dev.orch.v1.CSIMountOptions'];
export type ChangeScript = Schemas['dev.orch.v1.ChangeScript'];
export type Check = Schemas['dev.orch.v1.Check'];
export type CheckRestart = Schemas['dev.orch.v1.CheckRestart'];
export type CheckStatus = Schemas['dev.orch.v1.CheckStatus'];
export type ChildrenSummary = Schemas['dev.orch.v1.ChildrenSummary'];
export type Condition = Schemas['dev.orch.v1.Condition'];
export type Constraint = Schemas['dev.orch.v1.Constraint'];
export type Consul = Schemas['dev.orch.v1.Consul'];
export type ConsulConnect = Schemas['dev.orch.v1.ConsulConnect'];
export type ConsulExposeConfig = Schemas['dev.orch.v1.ConsulExposeConfig'];
export type ConsulExposePath = Schemas['dev.orch.v1.ConsulExposePath'];
export type ConsulGateway = Schemas['dev.orch.v1.ConsulGateway'];
export type ConsulGatewayBindAddress = Schemas['dev.orch.v1.ConsulGatewayBindAddress'];
export type ConsulGatewayProxy = Schemas['dev.orch.v1.ConsulGatewayProxy'];
export type ConsulGatewayTLSConfig = Schemas['dev.orch.v1.ConsulGatewayTLSConfig'];
export type ConsulGatewayTLSSDSConfig = Schemas['dev.orch.v1.ConsulGatewayTLSSDSConfig'];
export type ConsulHTTPHeaderModifiers = Schemas['dev.orch.v1.ConsulHTTPHeaderModifiers'];
export type ConsulIngressConfigEntry = Schemas['dev.orch.v1.ConsulIngressConfigEntry'];
export type ConsulIngressListener = Schemas['dev.orch.v1.ConsulIngressListener'];
export type ConsulIngressService = Schemas['dev.orch.v1.ConsulIngressService'];
export type ConsulLinkedService = Schemas['dev.orch.v1.ConsulLinkedService'];
export type ConsulMeshConfigEntry = Schemas['dev.orch.v1.ConsulMeshConfigEntry'];
export type ConsulMeshGateway = Schemas['dev.orch.v1.ConsulMeshGateway'];
export type ConsulProxy = Schemas['dev.orch.v1.ConsulProxy'];
export type ConsulSidecarService = Schemas['dev.orch.v1.ConsulSidecarService'];
export type ConsulTerminatingConfigEntry = Schemas['dev.orch.v1.ConsulTerminatingConfigEntry'];
export type ConsulTransparentProxy = Schemas['dev.orch.v1.ConsulTransparentProxy'];
export type ConsulUpstream = Schemas['dev.orch.v1.ConsulUpstream'];
export type CustomResourceColumnDefinition = Schemas['dev.orch.v1.CustomResourceColumnDefinition'];
export type CustomResourceConversion = Schemas['dev.orch.v1.CustomResourceConversion'];
export type CustomResourceDefinition = Schemas['dev.orch.v1.CustomResourceDefinition'];
export type CustomResourceDefinitionNames = Schemas['dev.orch.v1.CustomResourceDefinitionNames'];
export type CustomResourceDefinitionSpec = Schemas['dev.orch.v1.CustomResourceDefinitionSpec'];
export type CustomResourceDefinitionStatus = Schemas['dev.orch.v1.CustomResourceDefinitionStatus'];
export type CustomResourceDefinitionVersion = Schemas['dev.orch.v1.CustomResourceDefinitionVersion'];
export type CustomResourceSubresourceScale = Schemas['dev.orch.v1.CustomResourceSubresourceScale'];
export type CustomResourceSubresources = Schemas['dev.orch.v1.CustomResourceSubresources'];
export type CustomResourceValidation = Schemas['dev.orch.v1.CustomResourceValidation'];
export type DNSConfig = Schemas['dev.orch.v1.DNSConfig'];
export type Deployment = Schemas['dev.orch.v1.Deployment'];
export type DeploymentGroupSpec = Schemas['dev.orch.v1.DeploymentGroupSpec'];
export type DeploymentGroupStatus = Schemas['dev.orch.v1.DeploymentGroupStatus'];
export type DeploymentHealth = Schemas['dev.orch.v1.DeploymentHealth'];
export type DeploymentPromotion = Schemas['dev.orch.v1.DeploymentPromotion'];
export type DeploymentSpec = Schemas['dev.orch.v1.DeploymentSpec'];
export type DeploymentStatus = Schemas['dev.orch.v1.DeploymentStatus'];
export type DesiredTransition = Schemas['dev.orch.v1.DesiredTransition'];
export type DesiredUpdates = Schemas['dev.orch.v1.DesiredUpdates'];
export type Device = Schemas['dev.orch.v1.Device'];
export type DisconnectStrategy = Schemas['dev.orch.v1.DisconnectStrategy'];
export type DispatchPayloadConfig = Schemas['dev.orch.v1.DispatchPayloadConfig'];
export type DrainSpec = Schemas['dev.orch.v1.DrainSpec'];
export type DrainStatus = Schemas['dev.orch.v1.DrainStatus'];
export type DriverInfo = Schemas['dev.orch.v1.DriverInfo'];
export type EphemeralDisk = Schemas['dev.orch.v1.EphemeralDisk'];
export type Evaluation = Schemas['dev.orch.v1.Evaluation'];
export type EvaluationDryRun = Schemas['dev.orch.v1.EvaluationDryRun'];
export type EvaluationPlan = Schemas['dev.orch.v1.EvaluationPlan'];
export type EvaluationSpec = Schemas['dev.orch.v1.EvaluationSpec'];
export type EvaluationStatus = Schemas['dev.orch.v1.EvaluationStatus'];
export type Event = Schemas['dev.orch.v1.Event'];
export type EventSource = Schemas['dev.orch.v1.EventSource'];
export type GroupSummary = Schemas['dev.orch.v1.GroupSummary'];
export type HostVolume = Schemas['dev.orch.v1.HostVolume'];
export type Job = Schemas['dev.orch.v1.Job'];
export type JobSpec = Schemas['dev.orch.v1.JobSpec'];
export type JobStatus = Schemas['dev.orch.v1.JobStatus'];
export type JobUIConfig = Schemas['dev.orch.v1.JobUIConfig'];
export type JobUILink = Schemas['dev.orch.v1.JobUILink'];
export type JobVersion = Schemas['dev.orch.v1.JobVersion'];
export type JobVersionSpec = Schemas['dev.orch.v1.JobVersionSpec'];
export type Lease = Schemas['dev.orch.v1.Lease'];
export type LeaseSpec = Schemas['dev.orch.v1.LeaseSpec'];
export type LogConfig = Schemas['dev.orch.v1.LogConfig'];
export type MigrateStrategy = Schemas['dev.orch.v1.MigrateStrategy'];
export type Multiregion = Schemas['dev.orch.v1.Multiregion'];
export type MultiregionRegion = Schemas['dev.orch.v1.MultiregionRegion'];
export type MultiregionStrategy = Schemas['dev.orch.v1.MultiregionStrategy'];
export type NUMAResource = Schemas['dev.orch.v1.NUMAResource'];
export type Namespace = Schemas['dev.orch.v1.Namespace'];
export type NamespaceSpec = Schemas['dev.orch.v1.NamespaceSpec'];
export type NamespaceStatus = Schemas['dev.orch.v1.NamespaceStatus'];
export type Network = Schemas['dev.orch.v1.Network'];
export type Node = Schemas['dev.orch.v1.Node'];
export type NodeAddress = Schemas['dev.orch.v1.NodeAddress'];
export type NodeEvent = Schemas['dev.orch.v1.NodeEvent'];
export type NodeNetwork = Schemas['dev.orch.v1.NodeNetwork'];
export type NodePool = Schemas['dev.orch.v1.NodePool'];
export type NodePoolSpec = Schemas['dev.orch.v1.NodePoolSpec'];
export type NodeReserved = Schemas['dev.orch.v1.NodeReserved'];
export type NodeResources = Schemas['dev.orch.v1.NodeResources'];
export type NodeScore = Schemas['dev.orch.v1.NodeScore'];
export type NodeSpec = Schemas['dev.orch.v1.NodeSpec'];
export type NodeStatus = Schemas['dev.orch.v1.NodeStatus'];
export type ObjectReference = Schemas['dev.orch.v1.ObjectReference'];
export type Operation = Schemas['dev.orch.v1.Operation'];
export type OperationSpec = Schemas['dev.orch.v1.OperationSpec'];
export type OperationStatus = Schemas['dev.orch.v1.OperationStatus'];
export type ParameterizedJobConfig = Schemas['dev.orch.v1.ParameterizedJobConfig'];
export type PeriodicConfig = Schemas['dev.orch.v1.PeriodicConfig'];
export type PeriodicLaunches = Schemas['dev.orch.v1.PeriodicLaunches'];
export type Port = Schemas['dev.orch.v1.Port'];
export type PreemptionConfig = Schemas['dev.orch.v1.PreemptionConfig'];
export type Rebalance = Schemas['dev.orch.v1.Rebalance'];
export type RebalanceMove = Schemas['dev.orch.v1.RebalanceMove'];
export type RebalanceSpec = Schemas['dev.orch.v1.RebalanceSpec'];
export type RebalanceStatus = Schemas['dev.orch.v1.RebalanceStatus'];
export type RescheduleEvent = Schemas['dev.orch.v1.RescheduleEvent'];
export type ReschedulePolicy = Schemas['dev.orch.v1.ReschedulePolicy'];
export type Resources = Schemas['dev.orch.v1.Resources'];
export type RestartPolicy = Schemas['dev.orch.v1.RestartPolicy'];
export type ScalingPolicy = Schemas['dev.orch.v1.ScalingPolicy'];
export type SchedulerConfiguration = Schemas['dev.orch.v1.SchedulerConfiguration'];
export type SchedulerConfigurationSpec = Schemas['dev.orch.v1.SchedulerConfigurationSpec'];
export type Secret = Schemas['dev.orch.v1.Secret'];
export type SelectableField = Schemas['dev.orch.v1.SelectableField'];
export type Service = Schemas['dev.orch.v1.Service'];
export type ServiceRegistration = Schemas['dev.orch.v1.ServiceRegistration'];
export type ServiceRegistrationSpec = Schemas['dev.orch.v1.ServiceRegistrationSpec'];
export type ServiceRegistrationStatus = Schemas['dev.orch.v1.ServiceRegistrationStatus'];
export type ServiceWeights = Schemas['dev.orch.v1.ServiceWeights'];
export type SidecarTask = Schemas['dev.orch.v1.SidecarTask'];
export type Spread = Schemas['dev.orch.v1.Spread'];
export type SpreadTarget = Schemas['dev.orch.v1.SpreadTarget'];
export type Task = Schemas['dev.orch.v1.Task'];
export type TaskCSIPluginConfig = Schemas['dev.orch.v1.TaskCSIPluginConfig'];
export type TaskEvent = Schemas['dev.orch.v1.TaskEvent'];
export type TaskGroup = Schemas['dev.orch.v1.TaskGroup'];
export type TaskLifecycle = Schemas['dev.orch.v1.TaskLifecycle'];
export type TaskResources = Schemas['dev.orch.v1.TaskResources'];
export type TaskSchedule = Schemas['dev.orch.v1.TaskSchedule'];
export type TaskScheduleCron = Schemas['dev.orch.v1.TaskScheduleCron'];
export type TaskState = Schemas['dev.orch.v1.TaskState'];
export type Template = Schemas['dev.orch.v1.Template'];
export type UpdateStrategy = Schemas['dev.orch.v1.UpdateStrategy'];
export type Variable = Schemas['dev.orch.v1.Variable'];
export type VariableSpec = Schemas['dev.orch.v1.VariableSpec'];
export type VariableStatus = Schemas['dev.orch.v1.VariableStatus'];
export type Vault = Schemas['dev.orch.v1.Vault'];
export type VolumeMount = Schemas['dev.orch.v1.VolumeMount'];
export type VolumeRequest = Schemas['dev.orch.v1.VolumeRequest'];
export type WaitConfig = Schemas['dev.orch.v1.WaitConfig'];
export type WorkloadIdentity = Schemas['dev.orch.v1.WorkloadIdentity'];

export const AllocationKind = defineKind<Allocation>({
  group: 'orch.dev',
  version: 'v1',
  kind: 'Allocation',
  listKind: 'AllocationList',
  plural: 'allocations',
  singular: 'allocation',
  shortNames: ['alloc', 'allocs'],
  namespaced: true,
});
export const CustomResourceDefinitionKind = defineKind<CustomResourceDefinition>({
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  listKind: 'CustomResourceDefinitionList',
  plural: 'customresourcedefinitions',
  singular: 'customresourcedefinition',
  shortNames: ['crd', 'crds'],
  namespaced: false,
});
export const DeploymentKind = defineKind<Deployment>({
  group: 'orch.dev',
  version: 'v1',
  kind: 'Deployment',
  listKind: 'DeploymentList',
  plural: 'deployments',
  singular: 'deployment',
  shortNames: ['deploy', 'deploys'],
  namespaced: true,
});
export const EvaluationKind = defineKind<Evaluation>({
  group: 'orch.dev',
  version: 'v1',
  kind: 'Evaluation',
  listKind: 'EvaluationList',
  plural: 'evaluations',
  singular: 'evaluation',
  shortNames: ['eval', 'evals'],
  namespaced: true,
});
export const EventKind = defineKind<Event>({
  group: '',
  version: 'v1',
  kind: 'Event',
  listKind: 'EventList',
  plural: 'events',
  singular: 'event',
  shortNames: ['ev'],
  namespaced: true,
});
export const JobKind = defineKind<Job>({
  group: 'orch.dev',
  version: 'v1',
  kind: 'Job',
  listKind: 'JobList',
  plural: 'jobs',
  singular: 'job',
  shortNames: ['jo'],
  namespaced: true,
});
export const JobVersionKind = defineKind<JobVersion>({
  group: 'orch.dev',
  version: 'v1',
  kind: 'JobVersion',
  listKind: 'JobVersionList',
  plural: 'jobversions',
  singular: 'jobversion',
  shortNames: ['jv'],
  namespaced: true,
});
export const LeaseKind = defineKind<Lease>({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  listKind: 'LeaseList',
  plural: 'leases',
  singular: 'lease',
  shortNames: [],
  namespaced: true,
});
export const NamespaceKind = defineKind<Namespace>({
  group: '',
  version: 'v1',
  kind: 'Namespace',
  listKind: 'NamespaceList',
  plural: 'namespaces',
  singular: 'namespace',
  shortNames: ['ns'],
  namespaced: false,
});
export const NodeKind = defineKind<Node>({
  group: 'orch.dev',
  version: 'v1',
  kind: 'Node',
  listKind: 'NodeList',
  plural: 'nodes',
  singular: 'node',
  shortNames: ['no'],
  namespaced: false,
});
export const NodePoolKind = defineKind<NodePool>({
  group: 'orch.dev',
  version: 'v1',
  kind: 'NodePool',
  listKind: 'NodePoolList',
  plural: 'nodepools',
  singular: 'nodepool',
  shortNames: ['np'],
  namespaced: false,
});
export const OperationKind = defineKind<Operation>({
  group: 'orch.dev',
  version: 'v1',
  kind: 'Operation',
  listKind: 'OperationList',
  plural: 'operations',
  singular: 'operation',
  shortNames: ['op'],
  namespaced: false,
});
export const RebalanceKind = defineKind<Rebalance>({
  group: 'orch.dev',
  version: 'v1',
  kind: 'Rebalance',
  listKind: 'RebalanceList',
  plural: 'rebalances',
  singular: 'rebalance',
  shortNames: [],
  namespaced: false,
});
export const SchedulerConfigurationKind = defineKind<SchedulerConfiguration>({
  group: 'orch.dev',
  version: 'v1',
  kind: 'SchedulerConfiguration',
  listKind: 'SchedulerConfigurationList',
  plural: 'schedulerconfigurations',
  singular: 'schedulerconfiguration',
  shortNames: ['schedconf'],
  namespaced: false,
});
export const ServiceRegistrationKind = defineKind<ServiceRegistration>({
  group: 'orch.dev',
  version: 'v1',
  kind: 'ServiceRegistration',
  listKind: 'ServiceRegistrationList',
  plural: 'serviceregistrations',
  singular: 'serviceregistration',
  shortNames: ['svcreg'],
  namespaced: true,
});
export const VariableKind = defineKind<Variable>({
  group: 'orch.dev',
  version: 'v1',
  kind: 'Variable',
  listKind: 'VariableList',
  plural: 'variables',
  singular: 'variable',
  shortNames: ['var'],
  namespaced: true,
});

/** Every built-in kind. */
export const builtinKinds = [
  AllocationKind,
  CustomResourceDefinitionKind,
  DeploymentKind,
  EvaluationKind,
  EventKind,
  JobKind,
  JobVersionKind,
  LeaseKind,
  NamespaceKind,
  NodeKind,
  NodePoolKind,
  OperationKind,
  RebalanceKind,
  SchedulerConfigurationKind,
  ServiceRegistrationKind,
  VariableKind,
] as const;
