// Generated from crds/ by `npm run generate`. Do not edit.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
  schemas: {
    /** @description A command that operators may run in a task. */
    'dev.orch.v1.Action': {
      /** @description Its name. */
      name: string;
      /** @description The command. */
      command?: string;
      /** @description Its arguments. */
      args?: string[];
    };
    /** @description A preference for nodes. */
    'dev.orch.v1.Affinity': {
      /** @description The attribute to look at, as in a constraint. */
      attribute?: string;
      /** @description What the attribute is compared with. */
      value?: string;
      /** @description How they are compared, as in a constraint. */
      operator?: string;
      /** @description From -100 to 100, 50 when absent. Negative: such nodes are avoided. */
      weight?: number;
    };
    /** @description How the scheduler looked at the nodes for one placement. */
    'dev.orch.v1.AllocMetric': {
      /** @description Nodes that were looked at. */
      nodesEvaluated?: number;
      /** @description Nodes that constraints and drivers ruled out. */
      nodesFiltered?: number;
      /** @description Nodes without the room. */
      nodesExhausted?: number;
      /** @description Nodes in the node pool. */
      nodesInPool?: number;
      /** @description Ready nodes by datacenter. */
      nodesAvailable?: {
        [key: string]: number;
      };
      /** @description Filtered nodes by node class. */
      classFiltered?: {
        [key: string]: number;
      };
      /** @description Filtered nodes by the constraint that ruled them out. */
      constraintFiltered?: {
        [key: string]: number;
      };
      /** @description Exhausted nodes by node class. */
      classExhausted?: {
        [key: string]: number;
      };
      /** @description Exhausted nodes by what they lack (cpu, memory, disk, network: port collision ...). */
      dimensionExhausted?: {
        [key: string]: number;
      };
      /** @description The best nodes with the terms of their score, best first. */
      scores?: components['schemas']['dev.orch.v1.NodeScore'][];
      /**
       * Format: go-duration
       * @description How long the search took.
       */
      allocationTime?: string;
      /** @description Further allocations of the group that failed the same way. */
      coalescedFailures?: number;
    };
    'dev.orch.v1.AllocatedPort': {
      /** @description The label of the job file. */
      label: string;
      /** @description The task whose resources.network asked for it; absent for ports of the group. */
      task?: string;
      /** @description The port on the node. */
      value: number;
      /** @description The port inside the network of the task, 0 or absent means the same as value. */
      to?: number;
      /** @description The address of the node that it is bound to. */
      hostIP?: string;
      /** @description The host network it was chosen from. */
      hostNetwork?: string;
    };
    /** @description What it holds on its node. */
    'dev.orch.v1.AllocatedResources': {
      /** @description What each task holds. */
      tasks?: components['schemas']['dev.orch.v1.TaskResources'][];
      /** @description MHz that it takes at most at one time: tasks that never run together are not added up. */
      cpu?: number;
      /** @description MB that it takes at most at one time. */
      memory?: number;
      /** @description MB of the shared directory. */
      diskMB?: number;
      /** @description The ports that it holds on the node. */
      ports?: components['schemas']['dev.orch.v1.AllocatedPort'][];
    };
    /** @description One instance of a task group on one node. Its metadata.name is a UUID. */
    'dev.orch.v1.Allocation': {
      /** @description Group and version of the schema. */
      apiVersion?: string;
      /** @description The kind. */
      kind?: string;
      /** @description Standard metadata. */
      metadata: components['schemas']['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'];
      spec: components['schemas']['dev.orch.v1.AllocationSpec'];
      status?: components['schemas']['dev.orch.v1.AllocationStatus'];
    };
    /** @description The address inside its own network namespace, where it has one. */
    'dev.orch.v1.AllocationNetworkStatus': {
      /** @description The interface. */
      interface?: string;
      /** @description The IP address. */
      address?: string;
    };
    /** @description What is wanted. Written by the scheduler, but for desiredTransition. */
    'dev.orch.v1.AllocationSpec': {
      /** @description metadata.name of the Job. */
      jobName: string;
      /** @description metadata.uid of the Job. */
      jobUID: string;
      /** @description The JobVersion that the allocation runs. */
      jobVersion: number;
      /**
       * @description The type of the job.
       * @enum {string}
       */
      jobType?: 'service' | 'batch' | 'system' | 'sysbatch';
      /** @description The priority of the job. */
      priority?: number;
      /** @description The task group. */
      group: string;
      /** @description <job>.<group>[<index>] */
      name: string;
      /** @description From 0 to count-1. */
      index: number;
      /** @description metadata.name of the Node it is bound to. */
      nodeName: string;
      /** @description The evaluation that placed or last updated it. */
      evaluation?: string;
      /** @description The deployment that it counts for. */
      deployment?: string;
      /** @description Whether it was placed as a canary. */
      canary?: boolean;
      /** @description Whether it was started beside the one of its name, which goes on until this one is healthy. */
      surge?: boolean;
      /**
       * @description What the node shall do with it.
       * @enum {string}
       */
      desired: 'run' | 'stop' | 'evict';
      /** @description Why. */
      desiredDescription?: string;
      /**
       * Format: date-time
       * @description When desired last changed.
       */
      desiredChangedAt?: string;
      desiredTransition?: components['schemas']['dev.orch.v1.DesiredTransition'];
      resources?: components['schemas']['dev.orch.v1.AllocatedResources'];
      /** @description The allocation that this one replaces. */
      previousAllocation?: string;
      /** @description The allocation of higher priority that it made way for. */
      preemptedByAllocation?: string;
      /** @description The allocation that replaced this one. */
      nextAllocation?: string;
      /** @description The delayed evaluation that will reschedule it. */
      followupEvaluation?: string;
      /** @description Earlier reschedules of this instance, oldest first. */
      rescheduleTracker?: components['schemas']['dev.orch.v1.RescheduleEvent'][];
      metrics?: components['schemas']['dev.orch.v1.AllocMetric'];
    };
    /** @description What happens. Written by the agent of its node; by the scheduler when the node is lost. */
    'dev.orch.v1.AllocationStatus': {
      /**
       * @description The client status; pending when absent.
       * @enum {string}
       */
      phase?: 'pending' | 'running' | 'complete' | 'failed' | 'lost' | 'unknown';
      /** @description A sentence on the phase. */
      description?: string;
      /**
       * Format: date-time
       * @description When the agent last changed it, by the node's clock.
       */
      modifiedAt?: string;
      /** @description The job version that the agent acts on. */
      jobVersion?: number;
      /** @description State and events of each task. */
      tasks?: components['schemas']['dev.orch.v1.TaskState'][];
      deploymentHealth?: components['schemas']['dev.orch.v1.DeploymentHealth'];
      networks?: components['schemas']['dev.orch.v1.AllocationNetworkStatus'];
      /** @description By task, the resolved image digest. */
      digests?: {
        [key: string]: string;
      };
      /**
       * Format: date-time
       * @description Since when nothing was heard of it; written by the scheduler with the phase unknown.
       */
      disconnectedAt?: string;
      /**
       * Format: date-time
       * @description When the node last came back.
       */
      reconnectedAt?: string;
    };
    /** @description Something to download. */
    'dev.orch.v1.Artifact': {
      /** @description Where from: http, https, git, s3 and the like; a checksum may be in its query. */
      source?: string;
      /** @description Options for the download. */
      options?: {
        [key: string]: string;
      };
      /** @description Header fields of the request. */
      headers?: {
        [key: string]: string;
      };
      /** @description What is expected: any (the default), file or dir. */
      mode?: string;
      /** @description Whether any certificate is accepted. */
      insecure?: boolean;
      /** @description Where to, below the folder of the task. local/ when absent. */
      destination?: string;
      /** @description Whether the files belong to the user of the task. */
      chown?: boolean;
    };
    /** @description What the network plugin is told. */
    'dev.orch.v1.CNIConfig': {
      /** @description Arguments by name. */
      args?: {
        [key: string]: string;
      };
    };
    /** @description How the volume is mounted. */
    'dev.orch.v1.CSIMountOptions': {
      /** @description The file system. */
      fsType?: string;
      /** @description Flags of the mount. */
      mountFlags?: string[];
    };
    /** @description What runs in the task when a template changes. */
    'dev.orch.v1.ChangeScript': {
      /** @description The command. */
      command?: string;
      /** @description Its arguments. */
      args?: string[];
      /**
       * Format: go-duration
       * @description How long it may take.
       */
      timeout?: string;
      /** @description Whether its failure fails the task. */
      failOnError?: boolean;
      /** @description Whether it also runs after the first rendering. */
      runOnFirstRender?: boolean;
    };
    /** @description A check of the health of a service. */
    'dev.orch.v1.Check': {
      /** @description The name of the check. */
      name?: string;
      /** @description http, tcp, grpc or script. */
      type?: string;
      /** @description What a script check runs, inside the task. */
      command?: string;
      /** @description The arguments of the command. */
      args?: string[];
      /** @description What an http check asks for. */
      path?: string;
      /** @description http (the default) or https. */
      protocol?: string;
      /** @description The port to check; that of the service when absent. */
      port?: string;
      /** @description Whether the path is opened through the sidecar proxy. */
      expose?: boolean;
      /** @description Which address is checked. */
      addressMode?: string;
      /** @description The port that the proxy advertises for the check. */
      advertise?: string;
      /**
       * Format: go-duration
       * @description How often to check.
       */
      interval?: string;
      /**
       * Format: go-duration
       * @description How long the answer may take.
       */
      timeout?: string;
      /** @description What the check reports before it ran: critical (the default), warning or passing. */
      initialStatus?: string;
      /** @description Remarks for people. */
      notes?: string;
      /** @description The server name in the TLS handshake. */
      tlsServerName?: string;
      /** @description Whether any certificate is accepted. */
      tlsSkipVerify?: boolean;
      /** @description Header fields of an http check, each with its values. */
      header?: {
        [key: string]: string[];
      };
      /** @description The method of an http check. GET when absent. */
      method?: string;
      checkRestart?: components['schemas']['dev.orch.v1.CheckRestart'];
      /** @description The service that a grpc check asks about. */
      grpcService?: string;
      /** @description Whether a grpc check uses TLS. */
      grpcUseTls?: boolean;
      /** @description The task that a script check runs in. */
      task?: string;
      /** @description How many successes in a row make the check pass. */
      successBeforePassing?: number;
      /** @description How many failures in a row make the check critical. */
      failuresBeforeCritical?: number;
      /** @description How many failures in a row make the check warn. */
      failuresBeforeWarning?: number;
      /** @description The body of an http request. */
      body?: string;
      /** @description What counts as healthy during an update: require_healthy, ignore_warnings or ignore. */
      onUpdate?: string;
    };
    /** @description When failing checks restart the task. */
    'dev.orch.v1.CheckRestart': {
      /** @description How many failures in a row restart the task. 0: never. */
      limit?: number;
      /**
       * Format: go-duration
       * @description How long after a start failures do not count.
       */
      grace?: string;
      /** @description Whether a warning counts as success. */
      ignoreWarnings?: boolean;
    };
    'dev.orch.v1.CheckStatus': {
      /** @description The check. */
      name: string;
      /** @description tcp, http, script, grpc. */
      type?: string;
      /**
       * @description The result.
       * @enum {string}
       */
      phase: 'passing' | 'warning' | 'critical' | 'pending';
      /** @description What it said. */
      output?: string;
      /**
       * Format: date-time
       * @description When the result last changed.
       */
      time?: string;
    };
    /** @description Of a periodic or parameterized job: the jobs launched from it. */
    'dev.orch.v1.ChildrenSummary': {
      /** @description Of which nothing was placed yet. */
      pending?: number;
      /** @description That run. */
      running?: number;
      /** @description That have ended and are not removed yet. */
      dead?: number;
    };
    /** @description One observation in the usual Kubernetes form. */
    'dev.orch.v1.Condition': {
      /** @description The claim, in CamelCase. */
      type: string;
      /**
       * @description Whether it holds.
       * @enum {string}
       */
      status: 'True' | 'False' | 'Unknown';
      /** @description A CamelCase word for programs. */
      reason?: string;
      /** @description A sentence for people. */
      message?: string;
      /**
       * Format: date-time
       * @description When status last changed.
       */
      lastTransitionTime?: string;
      /** @description The generation that was looked at. */
      observedGeneration?: number;
    };
    /** @description A condition that a node must fulfil. */
    'dev.orch.v1.Constraint': {
      /** @description The attribute to look at, as ${attr.kernel.name}, ${node.class} or ${meta.rack}. */
      attribute?: string;
      /** @description What the attribute is compared with. */
      value?: string;
      /** @description How: = (the default), !=, <, <=, >, >=, regexp, version, semver, set_contains, set_contains_any, distinct_hosts, distinct_property, is_set or is_not_set. */
      operator?: string;
    };
    /** @description Where Consul is used. */
    'dev.orch.v1.Consul': {
      /** @description The namespace of Consul. */
      namespace?: string;
      /** @description The Consul cluster. */
      cluster?: string;
      /** @description The partition of Consul. */
      partition?: string;
    };
    /** @description Service mesh. Kept and validated; nothing acts on it. */
    'dev.orch.v1.ConsulConnect': {
      /** @description Whether the task speaks the mesh protocol itself. */
      native?: boolean;
      gateway?: components['schemas']['dev.orch.v1.ConsulGateway'];
      sidecarService?: components['schemas']['dev.orch.v1.ConsulSidecarService'];
      sidecarTask?: components['schemas']['dev.orch.v1.SidecarTask'];
    };
    /** @description What can be reached past the mesh. */
    'dev.orch.v1.ConsulExposeConfig': {
      /** @description The paths. */
      paths?: components['schemas']['dev.orch.v1.ConsulExposePath'][];
    };
    /** @description A path that can be reached past the mesh. */
    'dev.orch.v1.ConsulExposePath': {
      /** @description The path. */
      path?: string;
      /** @description http or http2. */
      protocol?: string;
      /** @description The port that serves it. */
      localPathPort?: number;
      /** @description The label of the port to open for it. */
      listenerPort?: string;
    };
    /** @description The allocation is a gateway of the mesh. */
    'dev.orch.v1.ConsulGateway': {
      proxy?: components['schemas']['dev.orch.v1.ConsulGatewayProxy'];
      ingress?: components['schemas']['dev.orch.v1.ConsulIngressConfigEntry'];
      terminating?: components['schemas']['dev.orch.v1.ConsulTerminatingConfigEntry'];
      mesh?: components['schemas']['dev.orch.v1.ConsulMeshConfigEntry'];
    };
    /** @description An address that a gateway listens on. */
    'dev.orch.v1.ConsulGatewayBindAddress': {
      /** @description The name of the listener. */
      name?: string;
      /** @description The address. */
      address?: string;
      /** @description The port. */
      port?: number;
    };
    /** @description The proxy of a gateway. */
    'dev.orch.v1.ConsulGatewayProxy': {
      /**
       * Format: go-duration
       * @description How long a connection to an upstream may take.
       */
      connectTimeout?: string;
      /** @description Whether the proxy also listens on the tagged addresses of the service. */
      envoyGatewayBindTaggedAddresses?: boolean;
      /** @description Further addresses that the proxy listens on. */
      envoyGatewayBindAddresses?: components['schemas']['dev.orch.v1.ConsulGatewayBindAddress'][];
      /** @description Whether the proxy leaves the default address alone. */
      envoyGatewayNoDefaultBind?: boolean;
      /** @description How the proxy resolves names: STRICT_DNS or LOGICAL_DNS. */
      envoyDnsDiscoveryType?: string;
      /** @description Settings that are handed to the proxy as they are. */
      config?: {
        [key: string]: unknown;
      };
    };
    /** @description TLS of a listener. */
    'dev.orch.v1.ConsulGatewayTLSConfig': {
      /** @description Whether TLS is on. */
      enabled?: boolean;
      /** @description The oldest version of TLS to accept. */
      tlsMinVersion?: string;
      /** @description The newest version of TLS to accept. */
      tlsMaxVersion?: string;
      /** @description The cipher suites to offer. */
      cipherSuites?: string[];
      sds?: components['schemas']['dev.orch.v1.ConsulGatewayTLSSDSConfig'];
    };
    /** @description Certificates by the secret discovery service. */
    'dev.orch.v1.ConsulGatewayTLSSDSConfig': {
      /** @description The cluster that serves the certificates. */
      clusterName?: string;
      /** @description The name of the certificate there. */
      certResource?: string;
    };
    /** @description Changes to header fields. */
    'dev.orch.v1.ConsulHTTPHeaderModifiers': {
      /** @description Fields to add. */
      add?: {
        [key: string]: string;
      };
      /** @description Fields to replace. */
      set?: {
        [key: string]: string;
      };
      /** @description Fields to drop. */
      remove?: string[];
    };
    /** @description A gateway that lets traffic into the mesh. */
    'dev.orch.v1.ConsulIngressConfigEntry': {
      tls?: components['schemas']['dev.orch.v1.ConsulGatewayTLSConfig'];
      /** @description What the gateway listens on. */
      listeners?: components['schemas']['dev.orch.v1.ConsulIngressListener'][];
    };
    /** @description One port of an ingress gateway. */
    'dev.orch.v1.ConsulIngressListener': {
      /** @description The port. */
      port?: number;
      /** @description The protocol: tcp, http, http2 or grpc. */
      protocol?: string;
      /** @description The services behind the port. */
      services?: components['schemas']['dev.orch.v1.ConsulIngressService'][];
    };
    /** @description A service that an ingress gateway offers. */
    'dev.orch.v1.ConsulIngressService': {
      /** @description The name of the service; * for all. */
      name?: string;
      /** @description The host names that lead to it. */
      hosts?: string[];
      tls?: components['schemas']['dev.orch.v1.ConsulGatewayTLSConfig'];
      requestHeaders?: components['schemas']['dev.orch.v1.ConsulHTTPHeaderModifiers'];
      responseHeaders?: components['schemas']['dev.orch.v1.ConsulHTTPHeaderModifiers'];
      /** @description The most connections at once. */
      maxConnections?: number;
      /** @description The most requests that may wait for a connection. */
      maxPendingRequests?: number;
      /** @description The most requests at once. */
      maxConcurrentRequests?: number;
    };
    /** @description A service outside the mesh. */
    'dev.orch.v1.ConsulLinkedService': {
      /** @description The name of the service; * for all. */
      name?: string;
      /** @description The authority that signed its certificate. */
      caFile?: string;
      /** @description The certificate to show it. */
      certFile?: string;
      /** @description The key of that certificate. */
      keyFile?: string;
      /** @description The server name in the TLS handshake. */
      sni?: string;
    };
    /** @description A gateway between meshes. */
    'dev.orch.v1.ConsulMeshConfigEntry': Record<string, never>;
    /** @description How other datacenters are reached. */
    'dev.orch.v1.ConsulMeshGateway': {
      /** @description none, local or remote. */
      mode?: string;
    };
    /** @description The sidecar proxy. */
    'dev.orch.v1.ConsulProxy': {
      /** @description Where the service listens inside the allocation. */
      localServiceAddress?: string;
      /** @description The port that the service listens on inside the allocation. */
      localServicePort?: number;
      expose?: components['schemas']['dev.orch.v1.ConsulExposeConfig'];
      /** @description The services that the task reaches through the proxy. */
      upstreams?: components['schemas']['dev.orch.v1.ConsulUpstream'][];
      transparentProxy?: components['schemas']['dev.orch.v1.ConsulTransparentProxy'];
      /** @description Settings that are handed to the proxy as they are. */
      config?: {
        [key: string]: unknown;
      };
    };
    /** @description The registration of the sidecar proxy. */
    'dev.orch.v1.ConsulSidecarService': {
      /** @description Tags of the proxy; those of the service when absent. */
      tags?: string[];
      /** @description The port of the proxy. */
      port?: string;
      proxy?: components['schemas']['dev.orch.v1.ConsulProxy'];
      /** @description Whether the check that the proxy listens is left out. */
      disableDefaultTcpCheck?: boolean;
      /** @description Key-value pairs of the registration of the proxy. */
      meta?: {
        [key: string]: string;
      };
    };
    /** @description A gateway out of the mesh. */
    'dev.orch.v1.ConsulTerminatingConfigEntry': {
      /** @description The services outside that it leads to. */
      services?: components['schemas']['dev.orch.v1.ConsulLinkedService'][];
    };
    /** @description Traffic goes through the proxy without the task knowing. */
    'dev.orch.v1.ConsulTransparentProxy': {
      /** @description The user that the proxy runs as. */
      uid?: string;
      /** @description The port of the proxy for outgoing traffic. */
      outboundPort?: number;
      /** @description Ports whose incoming traffic passes by the proxy. */
      excludeInboundPorts?: string[];
      /** @description Ports whose outgoing traffic passes by the proxy. */
      excludeOutboundPorts?: number[];
      /** @description Networks that are reached directly. */
      excludeOutboundCidrs?: string[];
      /** @description Users whose traffic passes by the proxy. */
      excludeUids?: string[];
      /** @description Whether names are resolved as outside of the mesh. */
      noDns?: boolean;
    };
    /** @description A service that the task reaches through the proxy. */
    'dev.orch.v1.ConsulUpstream': {
      /** @description The name of the service. */
      destinationName?: string;
      /** @description Its namespace. */
      destinationNamespace?: string;
      /** @description The peered cluster it is in. */
      destinationPeer?: string;
      /** @description Its partition. */
      destinationPartition?: string;
      /** @description service or prepared_query. */
      destinationType?: string;
      /** @description The local port that leads to it. */
      localBindPort?: number;
      /** @description Its datacenter. */
      datacenter?: string;
      /** @description The local address that leads to it. */
      localBindAddress?: string;
      /** @description The local socket that leads to it. */
      localBindSocketPath?: string;
      /** @description The mode of the socket. */
      localBindSocketMode?: string;
      meshGateway?: components['schemas']['dev.orch.v1.ConsulMeshGateway'];
      /** @description Settings that are handed to the proxy as they are. */
      config?: {
        [key: string]: unknown;
      };
    };
    /** @description One column. */
    'dev.orch.v1.CustomResourceColumnDefinition': {
      /** @description Its heading. */
      name: string;
      /**
       * @description How it is printed.
       * @enum {string}
       */
      type: 'integer' | 'number' | 'string' | 'boolean' | 'date';
      /** @description A hint for printing: int32, date-time, password and the like. */
      format?: string;
      /** @description What it says. */
      description?: string;
      /**
       * Format: int32
       * @description Columns above 0 are shown with -o wide only.
       */
      priority?: number;
      /** @description Where its value is: .spec.replicas. */
      jsonPath: string;
    };
    /** @description How an object of one version becomes one of another. */
    'dev.orch.v1.CustomResourceConversion': {
      /** @description Only None is served: the versions differ in nothing but their name and what their schemas take. */
      strategy: string;
      /** @description Not served. */
      webhook?: {
        [key: string]: unknown;
      };
    };
    /** @description A kind of your own. From when it is Established, its objects are served as those of the built-in kinds are. */
    'dev.orch.v1.CustomResourceDefinition': {
      /** @description Group and version of the schema. */
      apiVersion?: string;
      /** @description The kind. */
      kind?: string;
      /** @description Standard metadata. */
      metadata: components['schemas']['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'];
      spec: components['schemas']['dev.orch.v1.CustomResourceDefinitionSpec'];
      status?: components['schemas']['dev.orch.v1.CustomResourceDefinitionStatus'];
    };
    /** @description What it is called. No two kinds of a group share a name. */
    'dev.orch.v1.CustomResourceDefinitionNames': {
      /** @description In CamelCase: CronTab. */
      kind: string;
      /** @description The kind of lists; <kind>List when absent. */
      listKind?: string;
      /** @description As paths have it: crontabs. */
      plural: string;
      /** @description As people type it; the kind in lower case when absent. */
      singular?: string;
      /** @description Shorter ones: ct. */
      shortNames?: string[];
      /** @description Groups of resources that it is part of: all. */
      categories?: string[];
    };
    /** @description Written by users. */
    'dev.orch.v1.CustomResourceDefinitionSpec': {
      /** @description The API group, a domain that is yours: example.com. The definition is called <plural>.<group>. */
      group: string;
      /**
       * @description Whether its objects lie in namespaces. Cannot change.
       * @enum {string}
       */
      scope: 'Namespaced' | 'Cluster';
      names: components['schemas']['dev.orch.v1.CustomResourceDefinitionNames'];
      /** @description Only false is taken: what a schema lacks is dropped, unless x-kubernetes-preserve-unknown-fields says otherwise there. */
      preserveUnknownFields?: boolean;
      conversion?: components['schemas']['dev.orch.v1.CustomResourceConversion'];
      /** @description Its versions. All are views of the same stored objects. */
      versions: components['schemas']['dev.orch.v1.CustomResourceDefinitionVersion'][];
    };
    /** @description Written by the API server. */
    'dev.orch.v1.CustomResourceDefinitionStatus': {
      /** @description Established: it is served. NamesAccepted: no other kind of the group has one of its names. Terminating: its objects are being deleted. */
      conditions?: components['schemas']['dev.orch.v1.Condition'][];
      acceptedNames?: components['schemas']['dev.orch.v1.CustomResourceDefinitionNames'];
      /** @description Versions that objects may be stored as. */
      storedVersions?: string[];
    };
    /** @description One version. */
    'dev.orch.v1.CustomResourceDefinitionVersion': {
      /** @description v1, v2beta1 and the like. */
      name: string;
      /** @description Whether clients can use it. */
      served: boolean;
      /** @description Whether objects are stored as this version; true for exactly one. */
      storage: boolean;
      /** @description Whether requests on it are answered with a warning. */
      deprecated?: boolean;
      /** @description That warning, in other words than the usual ones. */
      deprecationWarning?: string;
      schema?: components['schemas']['dev.orch.v1.CustomResourceValidation'];
      subresources?: components['schemas']['dev.orch.v1.CustomResourceSubresources'];
      /** @description What field selectors can name, besides metadata.name and metadata.namespace. */
      selectableFields?: components['schemas']['dev.orch.v1.SelectableField'][];
      /** @description What tables show besides the name. The age, when absent. */
      additionalPrinterColumns?: components['schemas']['dev.orch.v1.CustomResourceColumnDefinition'][];
    };
    /** @description Where the fields of autoscaling/v1 Scale are. */
    'dev.orch.v1.CustomResourceSubresourceScale': {
      /** @description The wanted number, under .spec: .spec.replicas. */
      specReplicasPath: string;
      /** @description The number there is, under .status: .status.replicas. */
      statusReplicasPath: string;
      /** @description A selector as text, under .spec or .status. */
      labelSelectorPath?: string;
    };
    /** @description Paths under each object. */
    'dev.orch.v1.CustomResourceSubresources': {
      /** @description Its presence makes status a subresource, with writers of its own. */
      status?: {
        [key: string]: unknown;
      };
      scale?: components['schemas']['dev.orch.v1.CustomResourceSubresourceScale'];
    };
    /** @description What its objects look like. */
    'dev.orch.v1.CustomResourceValidation': {
      /** @description A structural OpenAPI v3 schema: every field has a type; defaults are filled in, what it lacks is dropped. */
      openAPIV3Schema?: {
        [key: string]: unknown;
      };
    };
    /** @description How names are resolved inside. */
    'dev.orch.v1.DNSConfig': {
      /** @description Name servers. */
      servers?: string[];
      /** @description Domains to search. */
      searches?: string[];
      /** @description Options of the resolver. */
      options?: string[];
    };
    /** @description The rollout of one version of a job. Its metadata.name is a UUID. */
    'dev.orch.v1.Deployment': {
      /** @description Group and version of the schema. */
      apiVersion?: string;
      /** @description The kind. */
      kind?: string;
      /** @description Standard metadata. */
      metadata: components['schemas']['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'];
      spec: components['schemas']['dev.orch.v1.DeploymentSpec'];
      status?: components['schemas']['dev.orch.v1.DeploymentStatus'];
    };
    'dev.orch.v1.DeploymentGroupSpec': {
      /** @description The task group. */
      name: string;
      /** @description Allocations of this version that are wanted. */
      desiredTotal: number;
      /** @description Canaries that are wanted before promotion. */
      desiredCanaries?: number;
      /** @description Go back to the newest stable version on failure. */
      autoRevert?: boolean;
      /** @description Promote when all canaries are healthy. */
      autoPromote?: boolean;
      /**
       * Format: go-duration
       * @description The next allocation must become healthy within it; 0 means no deadline.
       */
      progressDeadline?: string;
    };
    'dev.orch.v1.DeploymentGroupStatus': {
      /** @description The task group. */
      name: string;
      /** @description Allocations placed for this deployment. */
      placed?: number;
      /** @description Of them, healthy. */
      healthy?: number;
      /** @description Of them, unhealthy. */
      unhealthy?: number;
      /** @description Canary allocations by name. */
      placedCanaries?: string[];
      /** @description Whether its canaries were promoted. */
      promoted?: boolean;
      /**
       * Format: date-time
       * @description When the deployment fails unless another allocation becomes healthy.
       */
      requireProgressBy?: string;
    };
    /** @description The verdict for the deployment; absent until there is one. */
    'dev.orch.v1.DeploymentHealth': {
      /** @description Healthy for min_healthy_time, or not before the deadline. */
      healthy: boolean;
      /**
       * Format: date-time
       * @description When it was decided.
       */
      time?: string;
      /** @description Why it is unhealthy. */
      reason?: string;
      /** @description The deployment that it is a verdict for; absent for one that no deployment asked for. */
      deployment?: string;
    };
    /** @description The wish of a user that canaries are promoted. */
    'dev.orch.v1.DeploymentPromotion': {
      /** @description All groups. */
      all?: boolean;
      /** @description Only these groups. */
      groups?: string[];
    };
    /** @description What is rolled out (written by the scheduler), and what users ask of it (paused, promote, fail). */
    'dev.orch.v1.DeploymentSpec': {
      /** @description metadata.name of the Job. */
      jobName: string;
      /** @description metadata.uid of the Job. */
      jobUID: string;
      /** @description The version that is rolled out. */
      jobVersion: number;
      /** @description metadata.generation of the Job. */
      jobGeneration?: number;
      /**
       * Format: int64
       * @description status.modifyIndex of the Job.
       */
      jobModifyIndex?: number;
      /** @description The groups that take part. */
      groups: components['schemas']['dev.orch.v1.DeploymentGroupSpec'][];
      /** @description The wish of a user that no further allocation is placed. */
      paused?: boolean;
      promote?: components['schemas']['dev.orch.v1.DeploymentPromotion'];
      /** @description The wish of a user that the deployment is given up. */
      fail?: boolean;
    };
    /** @description How far it is. Written by the deployment controller; the first one by the scheduler. */
    'dev.orch.v1.DeploymentStatus': {
      /**
       * @description The state.
       * @enum {string}
       */
      phase?:
        'initializing' | 'pending' | 'running' | 'paused' | 'blocked' | 'unblocking' | 'successful' | 'failed' | 'cancelled';
      /** @description The sentence that users know, such as "Deployment is running". */
      description?: string;
      /**
       * Format: date-time
       * @description When the phase last changed.
       */
      modifiedAt?: string;
      /** @description Progress by group. */
      groups?: components['schemas']['dev.orch.v1.DeploymentGroupStatus'][];
      /** @description Observations in the usual Kubernetes form. */
      conditions?: components['schemas']['dev.orch.v1.Condition'][];
    };
    /** @description What a drain or a user asks the scheduler to do with it next. */
    'dev.orch.v1.DesiredTransition': {
      /** @description Move it to another node (drain, alloc stop). */
      migrate?: boolean;
      /** @description With migrate: the node to move it to, if it fits there. */
      toNode?: string;
      /** @description Reschedule it though its policy would not. */
      reschedule?: boolean;
      /** @description Reschedule it now. */
      forceReschedule?: boolean;
      /** @description Skip shutdown_delay when it is stopped. */
      noShutdownDelay?: boolean;
    };
    'dev.orch.v1.DesiredUpdates': {
      /** @description Allocations left as they are. */
      ignore?: number;
      /** @description Allocations created. */
      place?: number;
      /** @description Allocations moved off draining nodes. */
      migrate?: number;
      /** @description Allocations stopped. */
      stop?: number;
      /** @description Allocations told of the new version without a restart. */
      inPlaceUpdate?: number;
      /** @description Allocations replaced. */
      destructiveUpdate?: number;
      /** @description Canaries created. */
      canary?: number;
      /** @description Allocations of other jobs evicted. */
      preemptions?: number;
    };
    /** @description A device of the node. */
    'dev.orch.v1.Device': {
      /** @description Vendor, type and model, as nvidia/gpu/1080ti; shorter forms match more. */
      name?: string;
      /** @description How many. 1 when absent. */
      count?: number;
      /** @description What the device must fulfil. */
      constraints?: components['schemas']['dev.orch.v1.Constraint'][];
      /** @description Which devices are preferred. */
      affinities?: components['schemas']['dev.orch.v1.Affinity'][];
    };
    /** @description What happens to allocations whose node is out of reach. */
    'dev.orch.v1.DisconnectStrategy': {
      /**
       * Format: go-duration
       * @description How long they count as unknown before they are lost.
       */
      lostAfter?: string;
      /**
       * Format: go-duration
       * @description How long the node itself lets them run.
       */
      stopOnClientAfter?: string;
      /** @description Whether replacements are placed meanwhile. */
      replace?: boolean;
      /** @description Which stays when the node is back: best_score, longest_running, keep_original or keep_replacement. */
      reconcile?: string;
    };
    /** @description Where the payload of a dispatched job goes. */
    'dev.orch.v1.DispatchPayloadConfig': {
      /** @description The file below the local folder of the task. */
      file?: string;
    };
    /** @description Present: move everything away. */
    'dev.orch.v1.DrainSpec': {
      /**
       * Format: go-duration
       * @description After it, what remains is stopped. Absent or 0: no deadline. Negative: at once.
       */
      deadline?: string;
      /** @description Leave system jobs running. */
      ignoreSystemJobs?: boolean;
      /**
       * Format: date-time
       * @description When the drain was asked for.
       */
      startedAt?: string;
      /** @description Leave the node ineligible when the drain is cancelled. */
      keepIneligible?: boolean;
      /** @description Why; shown to users. */
      message?: string;
    };
    /** @description The drain that runs or ran last. */
    'dev.orch.v1.DrainStatus': {
      /**
       * @description How far it is.
       * @enum {string}
       */
      phase?: 'draining' | 'complete' | 'cancelled';
      /**
       * Format: date-time
       * @description When it began.
       */
      startedAt?: string;
      /**
       * Format: date-time
       * @description The startedAt of the wish that it carries out: another one begins anew.
       */
      requestedAt?: string;
      /**
       * Format: date-time
       * @description When the phase last changed.
       */
      updatedAt?: string;
      /** @description Allocations that are not terminal yet. */
      remaining?: number;
      /** @description Why it was asked for. */
      message?: string;
      /** @description What the drain waits for at present, in a sentence; absent when nothing holds it up. */
      waitingFor?: string;
    };
    'dev.orch.v1.DriverInfo': {
      /** @description Whether it was found. */
      detected?: boolean;
      /** @description Whether it works. */
      healthy?: boolean;
      /** @description Why not. */
      description?: string;
      /**
       * Format: date-time
       * @description When that was found out.
       */
      updatedAt?: string;
      /** @description Its facts, such as driver.docker.version. */
      attributes?: {
        [key: string]: string;
      };
    };
    /** @description The disk of an allocation. */
    'dev.orch.v1.EphemeralDisk': {
      /** @description Whether a replacement prefers the same node and takes the data over. */
      sticky?: boolean;
      /** @description Whether the data are brought along from another node. */
      migrate?: boolean;
      /** @description Its size in MB. 300 when absent. */
      size?: number;
    };
    /** @description One request to the scheduler to make reality match one job. */
    'dev.orch.v1.Evaluation': {
      /** @description Group and version of the schema. */
      apiVersion?: string;
      /** @description The kind. */
      kind?: string;
      /** @description Standard metadata. */
      metadata: components['schemas']['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'];
      spec: components['schemas']['dev.orch.v1.EvaluationSpec'];
      status?: components['schemas']['dev.orch.v1.EvaluationStatus'];
    };
    /** @description Present: nothing is committed, status.plan is the answer. Such evaluations are removed soon after. */
    'dev.orch.v1.EvaluationDryRun': {
      job: components['schemas']['dev.orch.v1.JobSpec'];
    };
    /** @description The answer to a dry run. */
    'dev.orch.v1.EvaluationPlan': {
      /**
       * Format: int64
       * @description status.modifyIndex of the job as it is; 0 when there is none.
       */
      jobModifyIndex?: number;
      /** @description The job version compared against, where there is one. */
      baseVersion?: number;
      /** @description What would be done by group. */
      desiredUpdates?: {
        [key: string]: components['schemas']['dev.orch.v1.DesiredUpdates'];
      };
      /** @description By group: why an allocation could not be placed. */
      failedPlacements?: {
        [key: string]: components['schemas']['dev.orch.v1.AllocMetric'];
      };
      /** @description Whether a deployment would be created. */
      createdDeployment?: boolean;
      /**
       * Format: date-time
       * @description When a periodic job would run next.
       */
      nextPeriodicLaunch?: string;
      /** @description Things that are allowed and probably not meant. */
      warnings?: string[];
    };
    /** @description What is asked. Written once by whoever asks. */
    'dev.orch.v1.EvaluationSpec': {
      /** @description metadata.name of the Job to look at. */
      jobName: string;
      /** @description metadata.uid of that Job, where known. */
      jobUID?: string;
      /** @description The job version that the request is about; a newer one is used when it exists. */
      jobVersion?: number;
      /** @description metadata.generation of the Job when the evaluation was made, where known. */
      jobGeneration?: number;
      /**
       * Format: int64
       * @description status.modifyIndex of the Job when the evaluation was made, where known.
       */
      jobModifyIndex?: number;
      /**
       * @description The type of the job.
       * @enum {string}
       */
      type?: 'service' | 'batch' | 'system' | 'sysbatch';
      /** @description Higher is taken first; that of the job. */
      priority?: number;
      /**
       * @description Why it was made.
       * @enum {string}
       */
      trigger:
        | 'job-register'
        | 'job-deregister'
        | 'periodic-job'
        | 'node-drain'
        | 'node-update'
        | 'alloc-stop'
        | 'scheduled'
        | 'rolling-update'
        | 'deployment-watcher'
        | 'failed-follow-up'
        | 'max-plan-attempts'
        | 'alloc-failure'
        | 'queued-allocs'
        | 'preemption'
        | 'job-scaling'
        | 'max-disconnect-timeout'
        | 'reconnect'
        | 'retry-failed-alloc';
      /** @description The node whose change caused it. */
      nodeName?: string;
      /** @description The deployment that asked for it. */
      deployment?: string;
      /**
       * Format: date-time
       * @description Not to be taken up before this instant.
       */
      waitUntil?: string;
      /** @description The evaluation that this one follows. */
      previousEvaluation?: string;
      dryRun?: components['schemas']['dev.orch.v1.EvaluationDryRun'];
    };
    /** @description What came of it. Written by the scheduler. */
    'dev.orch.v1.EvaluationStatus': {
      /**
       * @description pending when absent. blocked: waits for capacity.
       * @enum {string}
       */
      phase?: 'pending' | 'blocked' | 'complete' | 'failed' | 'cancelled';
      /** @description A sentence on the phase. */
      description?: string;
      /** @description The deployment that the evaluation created or worked within. */
      deployment?: string;
      /** @description The evaluation that waits for what could not be placed. */
      blockedEvaluation?: string;
      /** @description The follow-up evaluation. */
      nextEvaluation?: string;
      /** @description Placements still wanted by group. */
      queued?: {
        [key: string]: number;
      };
      /** @description By group: why an allocation could not be placed. */
      failedPlacements?: {
        [key: string]: components['schemas']['dev.orch.v1.AllocMetric'];
      };
      /** @description Blocked only: by computed node class, whether it could run the job. */
      classEligibility?: {
        [key: string]: boolean;
      };
      /** @description Blocked only: a constraint looks at unique attributes, so any node may help. */
      escapedClass?: boolean;
      /**
       * Format: int64
       * @description The store revision that the scheduler saw.
       */
      snapshotRevision?: number;
      /**
       * Format: date-time
       * @description When the phase last changed.
       */
      modifiedAt?: string;
      plan?: components['schemas']['dev.orch.v1.EvaluationPlan'];
    };
    /** @description Something that happened to an object. Kept for an hour. */
    'dev.orch.v1.Event': {
      /** @description Group and version of the schema. */
      apiVersion?: string;
      /** @description The kind. */
      kind?: string;
      /** @description Standard metadata. */
      metadata: components['schemas']['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'];
      involvedObject?: components['schemas']['dev.orch.v1.ObjectReference'];
      /** @description Normal or Warning. */
      type?: string;
      /** @description A CamelCase word for programs. */
      reason?: string;
      /** @description A sentence for people. */
      message?: string;
      source?: components['schemas']['dev.orch.v1.EventSource'];
      /** @description The component that reports it. */
      reportingComponent?: string;
      /** @description The process that reports it. */
      reportingInstance?: string;
      /** @description What was done. */
      action?: string;
      /**
       * Format: date-time
       * @description When it was first seen.
       */
      firstTimestamp?: string;
      /**
       * Format: date-time
       * @description When it was last seen.
       */
      lastTimestamp?: string;
      /**
       * Format: date-time
       * @description When it was first seen.
       */
      eventTime?: string;
      /** @description How often it was seen. */
      count?: number;
    };
    /** @description Who says so. */
    'dev.orch.v1.EventSource': {
      /** @description The component. */
      component?: string;
      /** @description The node. */
      host?: string;
    };
    'dev.orch.v1.GroupSummary': {
      /** @description The task group. */
      name: string;
      /** @description The count that the group asks for. */
      desired?: number;
      /** @description Placements that wait for capacity. */
      queued?: number;
      /** @description Allocations that are pending on their node. */
      starting?: number;
      /** @description Running allocations. */
      running?: number;
      /** @description Allocations that failed. */
      failed?: number;
      /** @description Allocations that ended as intended. */
      complete?: number;
      /** @description Allocations whose node was lost. */
      lost?: number;
      /** @description Allocations whose node is disconnected. */
      unknown?: number;
    };
    'dev.orch.v1.HostVolume': {
      /** @description The folder on the node. */
      path?: string;
      /** @description Whether it may only be read. */
      readOnly?: boolean;
    };
    /** @description A declarative description of work to run - one or more task groups, each placed on nodes as allocations. */
    'dev.orch.v1.Job': {
      /** @description Group and version of the schema. */
      apiVersion?: string;
      /** @description The kind. */
      kind?: string;
      /** @description Standard metadata. */
      metadata: components['schemas']['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'];
      spec: components['schemas']['dev.orch.v1.JobSpec'];
      status?: components['schemas']['dev.orch.v1.JobStatus'];
    };
    /** @description The job file. Names are those of the job file in camelCase; blocks that repeat are plural lists. */
    'dev.orch.v1.JobSpec': {
      /** @description The region that the job belongs to. There is one, global. */
      region?: string;
      /** @description The job ID where it cannot be the name of the resource (it holds a slash); metadata.name otherwise. */
      id?: string;
      /** @description What people call the job. The ID when absent. */
      name?: string;
      /** @description How the job is scheduled: service (kept running, the default), batch (run to success), system (on every feasible node) or sysbatch (to success on every feasible node). */
      type?: string;
      /** @description From 1 to 100; 50 when absent. Evaluations of higher priority are worked on first, and where preemption is on their allocations may displace others. */
      priority?: number;
      /** @description Whether all allocations are placed together or none. */
      allAtOnce?: boolean;
      /** @description The datacenters whose nodes may run the job; * and ? match any text and any character. */
      datacenters?: string[];
      /** @description The node pool whose nodes may run the job. */
      nodePool?: string;
      /** @description What a node must fulfil to run any part of the job. */
      constraints?: components['schemas']['dev.orch.v1.Constraint'][];
      /** @description Which nodes are preferred, for every group. */
      affinities?: components['schemas']['dev.orch.v1.Affinity'][];
      /** @description The task groups. Each is placed as a whole, as many times as its count says. */
      groups?: components['schemas']['dev.orch.v1.TaskGroup'][];
      update?: components['schemas']['dev.orch.v1.UpdateStrategy'];
      multiregion?: components['schemas']['dev.orch.v1.Multiregion'];
      /** @description How allocations of all groups are spread over the values of an attribute. */
      spreads?: components['schemas']['dev.orch.v1.Spread'][];
      periodic?: components['schemas']['dev.orch.v1.PeriodicConfig'];
      parameterized?: components['schemas']['dev.orch.v1.ParameterizedJobConfig'];
      /** @description The ID of the job that this one was launched from. */
      parentID?: string;
      /** @description Whether it was launched by a dispatch. */
      dispatched?: boolean;
      /**
       * Format: byte
       * @description What the dispatch sent along, in base64.
       */
      payload?: string;
      /** @description The token of the dispatch. The same token makes no second job. */
      dispatchIdempotencyToken?: string;
      reschedule?: components['schemas']['dev.orch.v1.ReschedulePolicy'];
      migrate?: components['schemas']['dev.orch.v1.MigrateStrategy'];
      /** @description Key-value pairs that tasks see as NOMAD_META_ variables; groups and tasks may override them. */
      meta?: {
        [key: string]: string;
      };
      ui?: components['schemas']['dev.orch.v1.JobUIConfig'];
      /** @description Whether the job is stopped. A stopped job keeps its history and starts again when this is false. */
      stop?: boolean;
    };
    /** @description What the control plane knows about the job. Written by the job controller. */
    'dev.orch.v1.JobStatus': {
      /** @description The metadata.generation that this status describes. */
      observedGeneration?: number;
      /**
       * @description pending: nothing placed yet. running: an evaluation or allocation is not terminal. dead: nothing runs and nothing will.
       * @enum {string}
       */
      phase?: 'pending' | 'running' | 'dead';
      /** @description Why the job is in this phase, where that needs words. */
      description?: string;
      /** @description The job version (from 0) of the observed generation; JobVersion holds its spec. */
      version?: number;
      /** @description Whether the deployment of this version succeeded. */
      stable?: boolean;
      /**
       * Format: int64
       * @description The store revision at which spec last changed; what -check-index compares. Kept by the API server.
       */
      modifyIndex?: number;
      /**
       * Format: date-time
       * @description When the observed version was submitted.
       */
      submittedAt?: string;
      periodic?: components['schemas']['dev.orch.v1.PeriodicLaunches'];
      children?: components['schemas']['dev.orch.v1.ChildrenSummary'];
      /** @description Name of the newest Deployment of this job. */
      latestDeployment?: string;
      /** @description How many allocations of each group are in which state. */
      groups?: components['schemas']['dev.orch.v1.GroupSummary'][];
      /** @description Observations in the usual Kubernetes form. */
      conditions?: components['schemas']['dev.orch.v1.Condition'][];
    };
    /** @description What the user interface shows about the job. */
    'dev.orch.v1.JobUIConfig': {
      /** @description A text in Markdown. */
      description?: string;
      /** @description Links. */
      links?: components['schemas']['dev.orch.v1.JobUILink'][];
    };
    /** @description A link. */
    'dev.orch.v1.JobUILink': {
      /** @description Its text. */
      label?: string;
      /** @description Where it leads. */
      url?: string;
    };
    /** @description One version of a job. Its copy of the job never changes. */
    'dev.orch.v1.JobVersion': {
      /** @description Group and version of the schema. */
      apiVersion?: string;
      /** @description The kind. */
      kind?: string;
      /** @description Standard metadata. */
      metadata: components['schemas']['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'];
      spec: components['schemas']['dev.orch.v1.JobVersionSpec'];
    };
    /** @description Written by the job controller. */
    'dev.orch.v1.JobVersionSpec': {
      /** @description metadata.name of the Job. */
      jobName: string;
      /** @description metadata.uid of the Job; tells it from an earlier job of the same name. */
      jobUID: string;
      /** @description The version, from 0 without gaps. */
      version: number;
      /** @description metadata.generation of the Job that this is a copy of. */
      generation?: number;
      /**
       * Format: int64
       * @description status.modifyIndex of the Job at that generation.
       */
      jobModifyIndex?: number;
      /**
       * Format: date-time
       * @description When this version was first seen.
       */
      submittedAt?: string;
      /** @description Whether the deployment of this version succeeded; auto_revert goes back to the newest stable version. */
      stable?: boolean;
      /** @description A name that a user gave to this version. */
      tag?: string;
      job: components['schemas']['dev.orch.v1.JobSpec'];
    };
    /** @description A claim that its holder renews. With the annotation orch.dev/ttl it vanishes when it is not renewed for that long. */
    'dev.orch.v1.Lease': {
      /** @description Group and version of the schema. */
      apiVersion?: string;
      /** @description The kind. */
      kind?: string;
      /** @description Standard metadata. */
      metadata: components['schemas']['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'];
      spec?: components['schemas']['dev.orch.v1.LeaseSpec'];
    };
    /** @description Written by the holder. */
    'dev.orch.v1.LeaseSpec': {
      /** @description Who holds it. */
      holderIdentity?: string;
      /** @description How long others must wait after the last renewal. */
      leaseDurationSeconds?: number;
      /**
       * Format: date-time
       * @description When it was acquired.
       */
      acquireTime?: string;
      /**
       * Format: date-time
       * @description When it was last renewed.
       */
      renewTime?: string;
      /** @description How often the holder changed. */
      leaseTransitions?: number;
    };
    /** @description How much of the output is kept. */
    'dev.orch.v1.LogConfig': {
      /** @description How many files of each stream. 10 when absent. */
      maxFiles?: number;
      /** @description The size of one in MB. 10 when absent. */
      maxFileSize?: number;
      /** @description Whether output is kept. */
      enabled?: boolean;
      /** @description Whether output is dropped. */
      disabled?: boolean;
    };
    /** @description How allocations leave a node that is drained. */
    'dev.orch.v1.MigrateStrategy': {
      /** @description How many at once. */
      maxParallel?: number;
      /** @description What makes a replacement healthy: checks or task_states. */
      healthCheck?: string;
      /**
       * Format: go-duration
       * @description How long it must be healthy without a break.
       */
      minHealthyTime?: string;
      /**
       * Format: go-duration
       * @description By when it must be healthy.
       */
      healthyDeadline?: string;
    };
    /** @description Rollout over regions. Kept and validated; there is one region. */
    'dev.orch.v1.Multiregion': {
      strategy?: components['schemas']['dev.orch.v1.MultiregionStrategy'];
      /** @description The regions, in order. */
      regions?: components['schemas']['dev.orch.v1.MultiregionRegion'][];
    };
    /** @description What differs in one region. */
    'dev.orch.v1.MultiregionRegion': {
      /** @description The region. */
      name: string;
      /** @description The count there. */
      count?: number;
      /** @description The datacenters there. */
      datacenters?: string[];
      /** @description The node pool there. */
      nodePool?: string;
      /** @description Key-value pairs there. */
      meta?: {
        [key: string]: string;
      };
    };
    /** @description In which order regions are updated. */
    'dev.orch.v1.MultiregionStrategy': {
      /** @description How many at once. */
      maxParallel?: number;
      /** @description fail_all, fail_local or nothing: what a failure in one means for the others. */
      onFailure?: string;
    };
    /** @description Where the cores of a task are. */
    'dev.orch.v1.NUMAResource': {
      /** @description none, prefer or require: whether they share a NUMA node. */
      affinity?: string;
      /** @description Devices that must be on the same NUMA node. */
      devices?: string[];
    };
    /** @description A scope for names. "default" always exists. */
    'dev.orch.v1.Namespace': {
      /** @description Group and version of the schema. */
      apiVersion?: string;
      /** @description The kind. */
      kind?: string;
      /** @description Standard metadata. */
      metadata: components['schemas']['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'];
      spec?: components['schemas']['dev.orch.v1.NamespaceSpec'];
      status?: components['schemas']['dev.orch.v1.NamespaceStatus'];
    };
    /** @description Written by users. */
    'dev.orch.v1.NamespaceSpec': {
      /** @description Who must let go before it is removed. */
      finalizers?: string[];
      /** @description What it is for. */
      description?: string;
    };
    /** @description Written by the API server. */
    'dev.orch.v1.NamespaceStatus': {
      /**
       * @description Whether it is being deleted.
       * @enum {string}
       */
      phase?: 'Active' | 'Terminating';
      /** @description Of a namespace that is being deleted: whether not even the control plane may create anything in it any more. */
      closed?: boolean;
    };
    /** @description The network of an allocation. */
    'dev.orch.v1.Network': {
      /** @description host (the default), bridge, none or cni/name. */
      mode?: string;
      /** @description The interface of the node. */
      device?: string;
      /** @description The network of the node. */
      cidr?: string;
      /** @description The address on the node. */
      ip?: string;
      dns?: components['schemas']['dev.orch.v1.DNSConfig'];
      /** @description The ports. */
      ports?: components['schemas']['dev.orch.v1.Port'][];
      /** @description The host name inside the network. */
      hostname?: string;
      /** @description No effect; accepted from old jobs. */
      mbits?: number;
      cni?: components['schemas']['dev.orch.v1.CNIConfig'];
    };
    /** @description A machine that runs allocations. Its metadata.name is the node ID, a UUID kept in the agent's data_dir. */
    'dev.orch.v1.Node': {
      /** @description Group and version of the schema. */
      apiVersion?: string;
      /** @description The kind. */
      kind?: string;
      /** @description Standard metadata. */
      metadata: components['schemas']['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'];
      spec: components['schemas']['dev.orch.v1.NodeSpec'];
      status?: components['schemas']['dev.orch.v1.NodeStatus'];
    };
    'dev.orch.v1.NodeAddress': {
      /** @description Hostname, InternalIP or HTTP (host:port of the agent's own server). */
      type: string;
      /** @description The address. */
      address: string;
    };
    'dev.orch.v1.NodeEvent': {
      /**
       * Format: date-time
       * @description When.
       */
      time?: string;
      /** @description Cluster, Drain, Driver ... */
      subsystem?: string;
      /** @description What. */
      message?: string;
    };
    'dev.orch.v1.NodeNetwork': {
      /** @description The interface. */
      device?: string;
      /** @description The address. */
      ip?: string;
      /** @description The host network that it belongs to: default, or one of the agent's configuration. */
      hostNetwork?: string;
      /** @description Mbit/s. */
      speedMbits?: number;
    };
    /** @description A named set of nodes that jobs choose with node_pool. "default" and "all" always exist. */
    'dev.orch.v1.NodePool': {
      /** @description Group and version of the schema. */
      apiVersion?: string;
      /** @description The kind. */
      kind?: string;
      /** @description Standard metadata. */
      metadata: components['schemas']['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'];
      spec?: components['schemas']['dev.orch.v1.NodePoolSpec'];
    };
    /** @description Written by users. */
    'dev.orch.v1.NodePoolSpec': {
      /** @description What the pool is for. */
      description?: string;
      /** @description Key-value pairs. */
      meta?: {
        [key: string]: string;
      };
      /**
       * @description How nodes of the pool are filled; when absent, as the SchedulerConfiguration says.
       * @enum {string}
       */
      schedulerAlgorithm?: 'binpack' | 'spread';
      /** @description Whether memory_max of tasks is granted in the pool; when absent, as the SchedulerConfiguration says. */
      memoryOversubscription?: boolean;
    };
    /** @description What is kept for the machine itself. */
    'dev.orch.v1.NodeReserved': {
      /** @description MHz. */
      cpuMHz?: number;
      /** @description MB. */
      memoryMB?: number;
      /** @description MB. */
      diskMB?: number;
      /** @description Ports and ranges, as in "22,80,8500-8600". */
      ports?: string;
    };
    /** @description What the machine has. */
    'dev.orch.v1.NodeResources': {
      /** @description MHz over all cores. */
      cpuMHz?: number;
      /** @description Cores. */
      cores?: number;
      /** @description MB. */
      memoryMB?: number;
      /** @description MB free for allocations at start. */
      diskMB?: number;
      /** @description Addresses that ports can be bound to. */
      networks?: components['schemas']['dev.orch.v1.NodeNetwork'][];
    };
    'dev.orch.v1.NodeScore': {
      /** @description The node. */
      nodeName: string;
      /** @description The mean of the terms that apply. */
      score?: number;
      /** @description Score by term: binpack, job-anti-affinity, node-reschedule-penalty, node-affinity, allocation-spread ... */
      terms?: {
        [key: string]: number;
      };
    };
    /** @description What the node is meant to be. Written by users, and by the agent when it registers. */
    'dev.orch.v1.NodeSpec': {
      /** @description The name that people call it by; the host name by default. Need not be unique. */
      name?: string;
      /**
       * @description The datacenter it stands in.
       * @default dc1
       */
      datacenter: string;
      /**
       * @description The pool it belongs to.
       * @default default
       */
      nodePool: string;
      /** @description The operator's own classification. */
      nodeClass?: string;
      /** @description Key-value pairs for constraints. */
      meta?: {
        [key: string]: string;
      };
      /**
       * @description Whether new allocations may be placed.
       * @default eligible
       * @enum {string}
       */
      eligibility: 'eligible' | 'ineligible';
      drain?: components['schemas']['dev.orch.v1.DrainSpec'];
    };
    /** @description What the node is. Facts are written by its agent; phase, drain and conditions by the node controller. */
    'dev.orch.v1.NodeStatus': {
      /**
       * @description Whether its agent is heard. initializing when absent.
       * @enum {string}
       */
      phase?: 'initializing' | 'ready' | 'down' | 'disconnected';
      /** @description A sentence on the phase. */
      description?: string;
      /**
       * Format: date-time
       * @description When the phase last changed.
       */
      phaseChangedAt?: string;
      /** @description The version of its agent. */
      version?: string;
      /** @description Changes when the machine is restarted. */
      bootID?: string;
      /** @description Facts for constraints, without the attr. prefix. */
      attributes?: {
        [key: string]: string;
      };
      /** @description A hash of everything that constraints can see but what is unique to the node. */
      computedClass?: string;
      resources?: components['schemas']['dev.orch.v1.NodeResources'];
      reserved?: components['schemas']['dev.orch.v1.NodeReserved'];
      /** @description The task drivers by name. */
      drivers?: {
        [key: string]: components['schemas']['dev.orch.v1.DriverInfo'];
      };
      /** @description Host volumes by name. */
      hostVolumes?: {
        [key: string]: components['schemas']['dev.orch.v1.HostVolume'];
      };
      /** @description Where its agent can be reached. */
      addresses?: components['schemas']['dev.orch.v1.NodeAddress'][];
      drain?: components['schemas']['dev.orch.v1.DrainStatus'];
      /** @description The last 10 events of its life, newest last. */
      events?: components['schemas']['dev.orch.v1.NodeEvent'][];
      /** @description Observations in the usual Kubernetes form. */
      conditions?: components['schemas']['dev.orch.v1.Condition'][];
    };
    /** @description The object it is about. */
    'dev.orch.v1.ObjectReference': {
      /** @description Its group and version. */
      apiVersion?: string;
      /** @description Its kind. */
      kind?: string;
      /** @description Its namespace. */
      namespace?: string;
      /** @description Its name. */
      name?: string;
      /** @description Its uid. */
      uid?: string;
      /** @description The version that was looked at. */
      resourceVersion?: string;
      /** @description The part of it that is meant. */
      fieldPath?: string;
    };
    /** @description Something that operators ask the controllers to do once, now. It is kept for an hour as the record of what came of it. */
    'dev.orch.v1.Operation': {
      /** @description Group and version of the schema. */
      apiVersion?: string;
      /** @description The kind. */
      kind?: string;
      /** @description Standard metadata. */
      metadata: components['schemas']['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'];
      spec: components['schemas']['dev.orch.v1.OperationSpec'];
      status?: components['schemas']['dev.orch.v1.OperationStatus'];
    };
    /** @description Written by operators. */
    'dev.orch.v1.OperationSpec': {
      /**
       * @description gc: collect what has ended, whatever its age (gc controller). reconcile-summaries: count the allocations of all jobs anew (job controller).
       * @enum {string}
       */
      type: 'gc' | 'reconcile-summaries';
    };
    /** @description Written by the controller that does it. */
    'dev.orch.v1.OperationStatus': {
      /**
       * @description Where it stands; pending when absent.
       * @enum {string}
       */
      phase?: 'pending' | 'complete' | 'failed';
      /** @description What came of it, in words. */
      description?: string;
      /** @description How many objects, by kind or by what was done with them. */
      counts?: {
        [key: string]: number;
      };
      /**
       * Format: date-time
       * @description When it ended.
       */
      finishedAt?: string;
    };
    /** @description The job is a template; each dispatch makes a child job. */
    'dev.orch.v1.ParameterizedJobConfig': {
      /** @description Whether a payload is optional (the default), required or forbidden. */
      payload?: string;
      /** @description Keys of meta that a dispatch must give. */
      metaRequired?: string[];
      /** @description Keys of meta that a dispatch may give. */
      metaOptional?: string[];
    };
    /** @description When a child job is started. */
    'dev.orch.v1.PeriodicConfig': {
      /** @description Whether it is. true when absent. */
      enabled?: boolean;
      /** @description A cron expression: five fields, six with seconds, or @daily and the like. */
      cron?: string;
      /** @description Several cron expressions. */
      crons?: string[];
      /** @description Whether a launch is left out while the one before still runs. */
      prohibitOverlap?: boolean;
      /** @description The time zone of the expressions. UTC when absent. */
      timeZone?: string;
      /** @description How many finished children are kept; older ones are deleted. Absent: they go when they are dead for some hours. */
      historyLimit?: number;
    };
    /** @description Of a periodic job. Written by the periodic controller. */
    'dev.orch.v1.PeriodicLaunches': {
      /**
       * Format: date-time
       * @description The instant that was launched or passed over last. Later ones are still to come.
       */
      lastLaunch?: string;
      /** @description metadata.name of the job that was launched last. */
      lastChild?: string;
      /**
       * Format: date-time
       * @description The instant that was passed over last because a child still ran.
       */
      lastSkipped?: string;
      /**
       * Format: date-time
       * @description When it is due next; absent while it is stopped or disabled.
       */
      nextLaunch?: string;
    };
    /** @description A port of the allocation. */
    'dev.orch.v1.Port': {
      /** @description The name of the port; tasks see NOMAD_PORT_ and the label. */
      label: string;
      /** @description The port on the node; a free one is found when absent. */
      static?: number;
      /** @description The port inside; -1 for the same as outside. */
      to?: number;
      /** @description Which of the networks of the node the port is on. */
      hostNetwork?: string;
      /** @description Whether others may hold the same port. */
      ignoreCollision?: boolean;
    };
    /** @description Which types of jobs may displace allocations of jobs whose priority is lower by 10 or more. */
    'dev.orch.v1.PreemptionConfig': {
      /**
       * @description System jobs.
       * @default true
       */
      system: boolean;
      /**
       * @description Sysbatch jobs.
       * @default false
       */
      sysbatch: boolean;
      /**
       * @description Batch jobs.
       * @default false
       */
      batch: boolean;
      /**
       * @description Service jobs.
       * @default false
       */
      service: boolean;
    };
    /** @description A question to the scheduler: which allocations of services would be better placed elsewhere? It answers in the status, and moves nothing. */
    'dev.orch.v1.Rebalance': {
      /** @description Group and version of the schema. */
      apiVersion?: string;
      /** @description The kind. */
      kind?: string;
      /** @description Standard metadata. */
      metadata: components['schemas']['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'];
      spec?: components['schemas']['dev.orch.v1.RebalanceSpec'];
      status?: components['schemas']['dev.orch.v1.RebalanceStatus'];
    };
    'dev.orch.v1.RebalanceMove': {
      /** @description metadata.name of the Allocation. */
      allocation: string;
      /** @description Its namespace. */
      namespace: string;
      /** @description Where it runs. */
      fromNode: string;
      /** @description Where it would run. */
      toNode: string;
    };
    /** @description Written by who asks. */
    'dev.orch.v1.RebalanceSpec': {
      /**
       * @description The pool whose nodes are looked at.
       * @default default
       */
      nodePool: string;
      /**
       * @description How many moves are proposed at most.
       * @default 10
       */
      maxMoves: number;
    };
    /** @description The answer. Written by the scheduler. */
    'dev.orch.v1.RebalanceStatus': {
      /**
       * Format: date-time
       * @description When it was answered; absent until then.
       */
      answeredAt?: string;
      /**
       * @description What the moves serve: few nodes in use, or all of them alike.
       * @enum {string}
       */
      algorithm?: 'binpack' | 'spread';
      /** @description A sentence on what the moves would achieve. */
      description?: string;
      /** @description In their order. */
      moves?: components['schemas']['dev.orch.v1.RebalanceMove'][];
    };
    'dev.orch.v1.RescheduleEvent': {
      /**
       * Format: date-time
       * @description When.
       */
      time?: string;
      /** @description What was replaced. */
      previousAllocation?: string;
      /** @description Where it ran. */
      previousNode?: string;
      /**
       * Format: go-duration
       * @description The backoff that was applied.
       */
      delay?: string;
    };
    /** @description How failed allocations are placed anew. */
    'dev.orch.v1.ReschedulePolicy': {
      /** @description How many within the interval. */
      attempts?: number;
      /**
       * Format: go-duration
       * @description The span in which attempts are counted.
       */
      interval?: string;
      /**
       * Format: go-duration
       * @description How long to wait before the first.
       */
      delay?: string;
      /** @description How the delay grows: constant, exponential or fibonacci. */
      delayFunction?: string;
      /**
       * Format: go-duration
       * @description The longest delay.
       */
      maxDelay?: string;
      /** @description Whether it goes on for ever. */
      unlimited?: boolean;
    };
    /** @description What a task is given. */
    'dev.orch.v1.Resources': {
      /** @description CPU in MHz. 100 when absent. */
      cpu?: number;
      /** @description Whole CPU cores, instead of MHz. */
      cores?: number;
      /** @description Memory in MB. 300 when absent. */
      memory?: number;
      /** @description Memory in MB that may be used while the node has it to spare. */
      memoryMax?: number;
      /** @description No effect; see ephemeralDisk of the group. */
      disk?: number;
      /** @description The older place for ports of a task. */
      networks?: components['schemas']['dev.orch.v1.Network'][];
      /** @description Devices such as GPUs. */
      devices?: components['schemas']['dev.orch.v1.Device'][];
      numa?: components['schemas']['dev.orch.v1.NUMAResource'];
      /** @description The size of the secrets folder in MB. */
      secrets?: number;
      /** @description No effect; accepted from old jobs. */
      iops?: number;
    };
    /** @description How tasks are restarted on the same node. */
    'dev.orch.v1.RestartPolicy': {
      /**
       * Format: go-duration
       * @description The span in which attempts are counted.
       */
      interval?: string;
      /** @description How many restarts within the interval. */
      attempts?: number;
      /**
       * Format: go-duration
       * @description How long to wait before a restart; up to a quarter is added at random.
       */
      delay?: string;
      /** @description After the last attempt: fail the allocation, or delay until the interval is over. */
      mode?: string;
      /** @description Whether templates are rendered anew before a restart. */
      renderTemplates?: boolean;
    };
    /** @description Limits for changes of the count by an autoscaler. */
    'dev.orch.v1.ScalingPolicy': {
      /** @description The least. */
      min?: number;
      /** @description The most. */
      max?: number;
      /** @description What the autoscaler is told; which keys there are is up to it. */
      policy?: {
        [key: string]: unknown;
      };
      /** @description Whether the policy is acted on. */
      enabled?: boolean;
      /** @description horizontal (a group), vertical_cpu or vertical_mem (a task). */
      type?: string;
    };
    /** @description How the scheduler places. The one called "default" counts; without it the defaults of the fields do. */
    'dev.orch.v1.SchedulerConfiguration': {
      /** @description Group and version of the schema. */
      apiVersion?: string;
      /** @description The kind. */
      kind?: string;
      /** @description Standard metadata. */
      metadata: components['schemas']['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'];
      spec?: components['schemas']['dev.orch.v1.SchedulerConfigurationSpec'];
    };
    /** @description Written by operators. */
    'dev.orch.v1.SchedulerConfigurationSpec': {
      /**
       * @description How nodes are filled, where their pool does not say.
       * @default binpack
       * @enum {string}
       */
      schedulerAlgorithm: 'binpack' | 'spread';
      /**
       * @description Whether memory_max of tasks is granted, where their node pool does not say.
       * @default true
       */
      memoryOversubscription: boolean;
      /** @description While true the scheduler takes up no evaluation but dry runs; they wait. */
      pauseEvalBroker?: boolean;
      /** @description While true jobs are neither submitted, changed nor dispatched by users; they can be stopped and removed. */
      rejectJobRegistration?: boolean;
      preemption?: components['schemas']['dev.orch.v1.PreemptionConfig'];
    };
    /** @description A value that is fetched for a task. */
    'dev.orch.v1.Secret': {
      /** @description Its name; the task refers to it as ${secret.name.key}. */
      name: string;
      /** @description Who has it. */
      provider?: string;
      /** @description Where it is kept. */
      path?: string;
      /** @description What the provider is told. */
      config?: {
        [key: string]: unknown;
      };
      /** @description Environment variables for the provider. */
      env?: {
        [key: string]: string;
      };
    };
    /** @description One field. */
    'dev.orch.v1.SelectableField': {
      /** @description Its path: .spec.color. */
      jsonPath: string;
    };
    /** @description Something that listens, to be registered under a name. */
    'dev.orch.v1.Service': {
      /** @description The name of the service. job-group-task when absent. */
      name?: string;
      /** @description Tags of the registration. */
      tags?: string[];
      /** @description Tags while the allocation is a canary; tags when absent. */
      canaryTags?: string[];
      /** @description Whether tags may be changed from outside. */
      enableTagOverride?: boolean;
      /** @description The label of a port, or a port number. */
      port?: string;
      /** @description Which address is registered: auto, host, driver, alloc. */
      addressMode?: string;
      /** @description The address to register instead of a found one. */
      address?: string;
      /** @description Checks of the health of the service. */
      checks?: components['schemas']['dev.orch.v1.Check'][];
      checkRestart?: components['schemas']['dev.orch.v1.CheckRestart'];
      connect?: components['schemas']['dev.orch.v1.ConsulConnect'];
      /** @description Key-value pairs of the registration. */
      meta?: {
        [key: string]: string;
      };
      /** @description Key-value pairs while the allocation is a canary; meta when absent. */
      canaryMeta?: {
        [key: string]: string;
      };
      /** @description Further addresses by tag. */
      taggedAddresses?: {
        [key: string]: string;
      };
      /** @description The task behind a service of the group, for script checks and connect. */
      task?: string;
      /** @description What counts as healthy during an update: require_healthy (the default), ignore_warnings or ignore. */
      onUpdate?: string;
      identity?: components['schemas']['dev.orch.v1.WorkloadIdentity'];
      weights?: components['schemas']['dev.orch.v1.ServiceWeights'];
      /** @description Where the service is registered: nomad (here, as a ServiceRegistration) or consul. */
      provider?: string;
      /** @description The Consul cluster, with provider consul. */
      cluster?: string;
      /** @description The kind of the Consul service. */
      kind?: string;
    };
    /** @description One address of a service, offered by one allocation. */
    'dev.orch.v1.ServiceRegistration': {
      /** @description Group and version of the schema. */
      apiVersion?: string;
      /** @description The kind. */
      kind?: string;
      /** @description Standard metadata. */
      metadata: components['schemas']['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'];
      spec: components['schemas']['dev.orch.v1.ServiceRegistrationSpec'];
      status?: components['schemas']['dev.orch.v1.ServiceRegistrationStatus'];
    };
    /** @description Written by the agent of the node. */
    'dev.orch.v1.ServiceRegistrationSpec': {
      /** @description The name to look it up by. */
      serviceName: string;
      /** @description metadata.name of the Node. */
      nodeName?: string;
      /** @description The datacenter of the node. */
      datacenter?: string;
      /** @description The job. */
      jobName?: string;
      /** @description The allocation. */
      allocation?: string;
      /** @description The task, for services of a task. */
      task?: string;
      /** @description The address to connect to. */
      address?: string;
      /** @description The port to connect to. */
      port?: number;
      /** @description Tags of the service. */
      tags?: string[];
      /** @description Meta of the service. */
      meta?: {
        [key: string]: string;
      };
    };
    /** @description Written by the agent of the node. */
    'dev.orch.v1.ServiceRegistrationStatus': {
      /**
       * @description The worst of its checks; passing without checks.
       * @enum {string}
       */
      phase?: 'passing' | 'warning' | 'critical';
      /** @description The last result of each check. */
      checks?: components['schemas']['dev.orch.v1.CheckStatus'][];
    };
    /** @description How much of the traffic comes here. */
    'dev.orch.v1.ServiceWeights': {
      /** @description Weight while the checks pass. */
      passing?: number;
      /** @description Weight while they warn. */
      warning?: number;
    };
    /** @description Changes to the task that runs the proxy. */
    'dev.orch.v1.SidecarTask': {
      /** @description The name of the task. */
      name?: string;
      /** @description The driver of the task. */
      driver?: string;
      /** @description The user that it runs as. */
      user?: string;
      /** @description What the driver is told. */
      config?: {
        [key: string]: unknown;
      };
      /** @description Environment variables. */
      env?: {
        [key: string]: string;
      };
      resources?: components['schemas']['dev.orch.v1.Resources'];
      /** @description Key-value pairs for the task. */
      meta?: {
        [key: string]: string;
      };
      /**
       * Format: go-duration
       * @description How long it may take to end after the kill signal.
       */
      killTimeout?: string;
      logs?: components['schemas']['dev.orch.v1.LogConfig'];
      /**
       * Format: go-duration
       * @description How long to wait before the kill signal.
       */
      shutdownDelay?: string;
      /** @description The signal that asks it to end. */
      killSignal?: string;
      /** @description Which volumes appear where in it. */
      volumeMounts?: components['schemas']['dev.orch.v1.VolumeMount'][];
      /** @description Tokens that say to others who it is. */
      identities?: components['schemas']['dev.orch.v1.WorkloadIdentity'][];
    };
    /** @description How allocations are spread. */
    'dev.orch.v1.Spread': {
      /** @description The attribute whose values they are spread over. */
      attribute?: string;
      /** @description From 1 to 100: how much this counts beside other spreads. 50 when absent. */
      weight?: number;
      /** @description Wanted shares by value; even shares when absent. */
      targets?: components['schemas']['dev.orch.v1.SpreadTarget'][];
    };
    /** @description The wanted share of one value. */
    'dev.orch.v1.SpreadTarget': {
      /** @description The value. */
      value: string;
      /** @description The share of the allocations. */
      percent?: number;
    };
    /** @description A process, container or the like. */
    'dev.orch.v1.Task': {
      /** @description Unique within the group. */
      name: string;
      /** @description What runs the task: docker, raw_exec, exec, java, qemu. */
      driver?: string;
      /** @description The user that the process runs as. */
      user?: string;
      lifecycle?: components['schemas']['dev.orch.v1.TaskLifecycle'];
      /** @description What the driver is told; which keys there are is up to the driver. Blocks of the job file are lists of objects here. */
      config?: {
        [key: string]: unknown;
      };
      /** @description What a node must fulfil to run the task. */
      constraints?: components['schemas']['dev.orch.v1.Constraint'][];
      /** @description Which nodes are preferred for the task. */
      affinities?: components['schemas']['dev.orch.v1.Affinity'][];
      /** @description Environment variables. Values may refer to node and allocation, as ${NOMAD_PORT_http}. */
      env?: {
        [key: string]: string;
      };
      /** @description Services that the task offers. */
      services?: components['schemas']['dev.orch.v1.Service'][];
      resources?: components['schemas']['dev.orch.v1.Resources'];
      restart?: components['schemas']['dev.orch.v1.RestartPolicy'];
      /** @description Key-value pairs for the task, in front of those of its group and job. */
      meta?: {
        [key: string]: string;
      };
      /**
       * Format: go-duration
       * @description How long the task may take to end after the kill signal. 5s when absent.
       */
      killTimeout?: string;
      logs?: components['schemas']['dev.orch.v1.LogConfig'];
      /** @description What is downloaded before the task starts. */
      artifacts?: components['schemas']['dev.orch.v1.Artifact'][];
      vault?: components['schemas']['dev.orch.v1.Vault'];
      consul?: components['schemas']['dev.orch.v1.Consul'];
      /** @description Files that are rendered before the task starts and when their data change. */
      templates?: components['schemas']['dev.orch.v1.Template'][];
      dispatchPayload?: components['schemas']['dev.orch.v1.DispatchPayloadConfig'];
      /** @description Which volumes of the group appear where in the task. */
      volumeMounts?: components['schemas']['dev.orch.v1.VolumeMount'][];
      csiPlugin?: components['schemas']['dev.orch.v1.TaskCSIPluginConfig'];
      /** @description Whether the other tasks of the group are stopped when this one ends. */
      leader?: boolean;
      /**
       * Format: go-duration
       * @description How long to wait between the removal of services and the kill signal.
       */
      shutdownDelay?: string;
      /** @description The signal that asks the task to end. */
      killSignal?: string;
      /** @description What the task is for where another part made it, as connect-proxy:name. */
      kind?: string;
      /** @description Limits for scaling the CPU (type vertical_cpu) and memory (vertical_mem) of the task. */
      scalings?: components['schemas']['dev.orch.v1.ScalingPolicy'][];
      /** @description Values that are fetched from a provider of secrets for this task. */
      secrets?: components['schemas']['dev.orch.v1.Secret'][];
      /** @description Tokens that say to others who the task is. */
      identities?: components['schemas']['dev.orch.v1.WorkloadIdentity'][];
      /** @description Commands that operators may run in the task by name. */
      actions?: components['schemas']['dev.orch.v1.Action'][];
      schedule?: components['schemas']['dev.orch.v1.TaskSchedule'];
    };
    /** @description The task is a plugin for storage. */
    'dev.orch.v1.TaskCSIPluginConfig': {
      /** @description The name of the plugin. */
      id?: string;
      /** @description node, controller or monolith. */
      type?: string;
      /** @description Where its socket is expected. */
      mountDir?: string;
      /** @description Where volumes are staged. */
      stagePublishBaseDir?: string;
      /**
       * Format: go-duration
       * @description How long it may take to become healthy.
       */
      healthTimeout?: string;
    };
    'dev.orch.v1.TaskEvent': {
      /** @description Received, Task Setup, Driver, Started, Terminated, Restarting, Not Restarting, Killing, Killed ... */
      type: string;
      /**
       * Format: date-time
       * @description When, by the node's clock.
       */
      time: string;
      /** @description What users read. */
      message?: string;
      /** @description The parts of the message for programs. */
      details?: {
        [key: string]: string;
      };
    };
    /** @description Tasks that always run together on one node. */
    'dev.orch.v1.TaskGroup': {
      /** @description Unique within the job. */
      name: string;
      /** @description How many allocations of the group run. 1 when absent. */
      count?: number;
      /** @description What a node must fulfil to run the group. */
      constraints?: components['schemas']['dev.orch.v1.Constraint'][];
      /** @description Which nodes are preferred for the group. */
      affinities?: components['schemas']['dev.orch.v1.Affinity'][];
      /** @description The tasks. They share the network and the alloc folder. */
      tasks?: components['schemas']['dev.orch.v1.Task'][];
      /** @description How the allocations are spread over the values of an attribute. */
      spreads?: components['schemas']['dev.orch.v1.Spread'][];
      /** @description The volumes that tasks of the group may mount. */
      volumes?: components['schemas']['dev.orch.v1.VolumeRequest'][];
      restart?: components['schemas']['dev.orch.v1.RestartPolicy'];
      disconnect?: components['schemas']['dev.orch.v1.DisconnectStrategy'];
      reschedule?: components['schemas']['dev.orch.v1.ReschedulePolicy'];
      ephemeralDisk?: components['schemas']['dev.orch.v1.EphemeralDisk'];
      update?: components['schemas']['dev.orch.v1.UpdateStrategy'];
      migrate?: components['schemas']['dev.orch.v1.MigrateStrategy'];
      /** @description The network of the allocation and its ports. */
      networks?: components['schemas']['dev.orch.v1.Network'][];
      /** @description Key-value pairs for the tasks of the group, in front of those of the job. */
      meta?: {
        [key: string]: string;
      };
      /** @description Services that the whole allocation offers. */
      services?: components['schemas']['dev.orch.v1.Service'][];
      /**
       * Format: go-duration
       * @description How long to wait between the removal of services and the kill of the tasks.
       */
      shutdownDelay?: string;
      /**
       * Format: go-duration
       * @description How long an allocation may run before it is stopped.
       */
      maxRunDuration?: string;
      /**
       * Format: go-duration
       * @description How long tasks go on when their node has lost the servers, before the node stops them.
       */
      stopAfterClientDisconnect?: string;
      /**
       * Format: go-duration
       * @description How long allocations on a disconnected node count as unknown before they are lost.
       */
      maxClientDisconnect?: string;
      scaling?: components['schemas']['dev.orch.v1.ScalingPolicy'];
      consul?: components['schemas']['dev.orch.v1.Consul'];
      /** @description Whether allocations on a lost node are left alone instead of being replaced. */
      preventRescheduleOnLost?: boolean;
    };
    /** @description When the task runs in relation to the main tasks of its group. */
    'dev.orch.v1.TaskLifecycle': {
      /** @description prestart, poststart or poststop. */
      hook?: string;
      /** @description Whether the task runs as long as the main ones instead of to its end. */
      sidecar?: boolean;
    };
    'dev.orch.v1.TaskResources': {
      /** @description The task. */
      name: string;
      /** @description MHz. */
      cpu?: number;
      /** @description Reserved core numbers. */
      cores?: number[];
      /** @description MB. */
      memory?: number;
      /** @description MB; the hard limit, where it is above memory. */
      memoryMax?: number;
    };
    /** @description When the task runs during the day. */
    'dev.orch.v1.TaskSchedule': {
      cron?: components['schemas']['dev.orch.v1.TaskScheduleCron'];
    };
    /** @description Start and end as cron expressions. */
    'dev.orch.v1.TaskScheduleCron': {
      /** @description When it starts. */
      start?: string;
      /** @description When it is stopped, as hours and minutes. */
      end?: string;
      /** @description The time zone of both. */
      timezone?: string;
    };
    'dev.orch.v1.TaskState': {
      /** @description The task. */
      name: string;
      /**
       * @description Where it is in its life.
       * @enum {string}
       */
      state: 'pending' | 'running' | 'dead';
      /** @description Whether it ended in failure. */
      failed?: boolean;
      /** @description How often it was restarted. */
      restarts?: number;
      /**
       * Format: date-time
       * @description When it was last restarted.
       */
      lastRestart?: string;
      /**
       * Format: date-time
       * @description When it last started.
       */
      startedAt?: string;
      /**
       * Format: date-time
       * @description When it ended for good.
       */
      finishedAt?: string;
      /** @description The exit code of its last run. */
      exitCode?: number;
      /** @description The signal that ended its last run. */
      signal?: number;
      /** @description Whether the last run was killed for want of memory. */
      oomKilled?: boolean;
      /** @description The last 10 events, oldest first. */
      events?: components['schemas']['dev.orch.v1.TaskEvent'][];
    };
    /** @description A file that is rendered for the task. */
    'dev.orch.v1.Template': {
      /** @description The template in a file below the folder of the task. */
      source?: string;
      /** @description Where the result goes. */
      destination?: string;
      /** @description The template itself. */
      data?: string;
      /** @description What happens when the result changes: restart (the default), signal, script or noop. */
      changeMode?: string;
      changeScript?: components['schemas']['dev.orch.v1.ChangeScript'];
      /** @description The signal to send. */
      changeSignal?: string;
      /** @description Whether it is rendered only once. */
      once?: boolean;
      /**
       * Format: go-duration
       * @description Up to how long to wait, at random, before acting on a change.
       */
      splay?: string;
      /** @description The mode of the file. 0644 when absent. */
      perms?: string;
      /** @description The user that owns the file. */
      uid?: number;
      /** @description The group that owns the file. */
      gid?: number;
      /** @description What opens an expression. {{ when absent. */
      leftDelimiter?: string;
      /** @description What closes an expression. }} when absent. */
      rightDelimiter?: string;
      /** @description Whether the result is read as environment variables. */
      env?: boolean;
      /**
       * Format: go-duration
       * @description No effect; accepted from old jobs.
       */
      vaultGrace?: string;
      wait?: components['schemas']['dev.orch.v1.WaitConfig'];
      /** @description Whether a missing key is an error. */
      errorOnMissingKey?: boolean;
    };
    /** @description How a new version is rolled out. */
    'dev.orch.v1.UpdateStrategy': {
      /**
       * Format: go-duration
       * @description How long to wait between batches, for jobs without deployments.
       */
      stagger?: string;
      /** @description How many allocations are replaced at once. 0: all, without a deployment. */
      maxParallel?: number;
      /** @description What makes an allocation healthy: checks (the default), task_states or manual. */
      healthCheck?: string;
      /**
       * Format: go-duration
       * @description How long it must be healthy without a break.
       */
      minHealthyTime?: string;
      /**
       * Format: go-duration
       * @description By when it must be healthy, or it is unhealthy.
       */
      healthyDeadline?: string;
      /**
       * Format: go-duration
       * @description By when some allocation must become healthy, or the deployment fails. 0: the first unhealthy one fails it.
       */
      progressDeadline?: string;
      /** @description How many of those that are replaced at once are started before their predecessors are stopped, which are stopped when they are healthy. None when absent. */
      maxSurge?: number;
      /** @description How many of the new version run beside the old one until they are promoted. */
      canary?: number;
      /** @description Whether a failed deployment goes back to the newest stable version. */
      autoRevert?: boolean;
      /** @description Whether healthy canaries are promoted by themselves. */
      autoPromote?: boolean;
    };
    /** @description Texts under a path, encrypted wherever they are stored. metadata.name is the path with ":" in place of "/". Values are shown as (sensitive) unless the request asks for them by the header Orch-Sensitive: show. */
    'dev.orch.v1.Variable': {
      /** @description Group and version of the schema. */
      apiVersion?: string;
      /** @description The kind. */
      kind?: string;
      /** @description Standard metadata. */
      metadata: components['schemas']['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'];
      spec: components['schemas']['dev.orch.v1.VariableSpec'];
      status?: components['schemas']['dev.orch.v1.VariableStatus'];
    };
    /** @description Written by users. */
    'dev.orch.v1.VariableSpec': {
      /** @description The path, such as nomad/jobs/example/web/redis. Follows from metadata.name when absent. */
      path?: string;
      /** @description The values by their keys; keys and values have at most 64 KiB together. */
      items: {
        [key: string]: string;
      };
    };
    /** @description Written by the API server. */
    'dev.orch.v1.VariableStatus': {
      /**
       * Format: date-time
       * @description When the items last changed.
       */
      modifiedAt?: string;
    };
    /** @description Access to Vault. Kept and validated; nothing acts on it. */
    'dev.orch.v1.Vault': {
      /** @description The policies of the token. */
      policies?: string[];
      /** @description The role to log in as. */
      role?: string;
      /** @description The namespace of Vault. */
      namespace?: string;
      /** @description The Vault cluster. */
      cluster?: string;
      /** @description Whether the task sees the token in the environment. */
      env?: boolean;
      /** @description Whether the token is kept out of the secrets folder. */
      disableFile?: boolean;
      /** @description What happens when the token changes: noop, restart or signal. */
      changeMode?: string;
      /** @description The signal to send. */
      changeSignal?: string;
      /** @description Whether the token may expire while the task runs. */
      allowTokenExpiration?: boolean;
    };
    /** @description A volume inside a task. */
    'dev.orch.v1.VolumeMount': {
      /** @description The name of the volume in the group. */
      volume?: string;
      /** @description Where it appears. */
      destination?: string;
      /** @description Whether it cannot be written to. */
      readOnly?: boolean;
      /** @description private, host-to-task or bidirectional. */
      propagationMode?: string;
      /** @description The SELinux label: z or Z. */
      selinuxLabel?: string;
    };
    /** @description A volume that the group needs. */
    'dev.orch.v1.VolumeRequest': {
      /** @description What tasks call it. */
      name: string;
      /** @description host or csi. */
      type?: string;
      /** @description The name of the volume on the node or of the registered volume. */
      source?: string;
      /** @description Whether it is mounted without write access. */
      readOnly?: boolean;
      /** @description Whether a replacement gets the same volume. */
      sticky?: boolean;
      /** @description How many may use it at once, as single-node-writer. */
      accessMode?: string;
      /** @description file-system or block-device. */
      attachmentMode?: string;
      mountOptions?: components['schemas']['dev.orch.v1.CSIMountOptions'];
      /** @description Whether the index of the allocation is added to the source. */
      perAlloc?: boolean;
    };
    /** @description How long to wait for more changes before rendering. */
    'dev.orch.v1.WaitConfig': {
      /**
       * Format: go-duration
       * @description At least.
       */
      min?: string;
      /**
       * Format: go-duration
       * @description At most.
       */
      max?: string;
    };
    /** @description A signed token that says who the task is. */
    'dev.orch.v1.WorkloadIdentity': {
      /** @description Its name, unique in the task. */
      name?: string;
      /** @description Whom it is for. */
      aud?: string[];
      /** @description What happens when it is renewed: noop, restart or signal. */
      changeMode?: string;
      /** @description The signal to send. */
      changeSignal?: string;
      /** @description Whether the task sees it in the environment. */
      env?: boolean;
      /** @description Whether it is written to the secrets folder. */
      file?: boolean;
      /** @description Where it is written. */
      filepath?: string;
      /** @description The service that it speaks for. */
      serviceName?: string;
      /**
       * Format: go-duration
       * @description How long it is valid.
       */
      ttl?: string;
      /** @description Further claims by name. */
      extraClaims?: string[];
    };
    /** @description What every object has. */
    'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta': {
      /** @description Unique among the kind and namespace. Cannot change. */
      name?: string;
      /** @description A prefix; used when name is empty. */
      generateName?: string;
      /** @description The scope of the name. Empty for kinds of the cluster. */
      namespace?: string;
      /** @description Tells the object from earlier and later ones of the same name. Kept by the server. */
      uid?: string;
      /** @description The store revision of the last change. Kept by the server; sent back, it guards an update. */
      resourceVersion?: string;
      /**
       * Format: int64
       * @description Rises with every change outside metadata and status.
       */
      generation?: number;
      /**
       * Format: date-time
       * @description When it was created.
       */
      creationTimestamp?: string | null;
      /**
       * Format: date-time
       * @description When its deletion was asked for; it goes once finalizers is empty.
       */
      deletionTimestamp?: string;
      /**
       * Format: int64
       * @description The grace period of the deletion.
       */
      deletionGracePeriodSeconds?: number;
      /** @description Key-value pairs that selectors can choose by. */
      labels?: {
        [key: string]: string;
      };
      /** @description Key-value pairs that nothing selects by. */
      annotations?: {
        [key: string]: string;
      };
      /** @description Who must act before the object may go. */
      finalizers?: string[];
      /** @description The objects that this one belongs to. */
      ownerReferences?: components['schemas']['io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference'][];
      /** @description Who last set which field. */
      managedFields?: {
        [key: string]: unknown;
      }[];
    };
    /** @description An object that this one belongs to; it is removed when all its owners are gone. */
    'io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference': {
      /** @description Group and version of the owner. */
      apiVersion: string;
      /** @description Kind of the owner. */
      kind: string;
      /** @description Name of the owner. */
      name: string;
      /** @description uid of the owner. */
      uid: string;
      /** @description Whether the owner manages this object; at most one does. */
      controller?: boolean;
      /** @description Whether a foreground deletion of the owner waits for this object. */
      blockOwnerDeletion?: boolean;
    };
  };
  responses: never;
  parameters: never;
  requestBodies: never;
  headers: never;
  pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
