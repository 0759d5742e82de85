// Generated from crds/ by `npm run generate`. Do not edit.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
  schemas: {
    'dev.orch.v1.Action': {
      name: string;
      command?: string;
      args?: string[];
    };
    'dev.orch.v1.Affinity': {
      attribute?: string;
      value?: string;
      operator?: string;
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
       * @description When the node last came back.
       */
      reconnectedAt?: string;
    };
    'dev.orch.v1.Artifact': {
      source?: string;
      options?: {
        [key: string]: string;
      };
      headers?: {
        [key: string]: string;
      };
      mode?: string;
      insecure?: boolean;
      destination?: string;
      chown?: boolean;
    };
    'dev.orch.v1.CNIConfig': {
      args?: {
        [key: string]: string;
      };
    };
    'dev.orch.v1.CSIMountOptions': {
      fsType?: string;
      mountFlags?: string[];
    };
    'dev.orch.v1.ChangeScript': {
      command?: string;
      args?: string[];
      /** Format: go-duration */
      timeout?: string;
      failOnError?: boolean;
      runOnFirstRender?: boolean;
    };
    'dev.orch.v1.Check': {
      name?: string;
      type?: string;
      command?: string;
      args?: string[];
      path?: string;
      protocol?: string;
      port?: string;
      expose?: boolean;
      addressMode?: string;
      advertise?: string;
      /** Format: go-duration */
      interval?: string;
      /** Format: go-duration */
      timeout?: string;
      initialStatus?: string;
      notes?: string;
      tlsServerName?: string;
      tlsSkipVerify?: boolean;
      header?: {
        [key: string]: string[];
      };
      method?: string;
      checkRestart?: components['schemas']['dev.orch.v1.CheckRestart'];
      grpcService?: string;
      grpcUseTls?: boolean;
      task?: string;
      successBeforePassing?: number;
      failuresBeforeCritical?: number;
      failuresBeforeWarning?: number;
      body?: string;
      onUpdate?: string;
    };
    'dev.orch.v1.CheckRestart': {
      limit?: number;
      /** Format: go-duration */
      grace?: string;
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
    'dev.orch.v1.Constraint': {
      attribute?: string;
      value?: string;
      operator?: string;
    };
    'dev.orch.v1.Consul': {
      namespace?: string;
      cluster?: string;
      partition?: string;
    };
    'dev.orch.v1.ConsulConnect': {
      native?: boolean;
      gateway?: components['schemas']['dev.orch.v1.ConsulGateway'];
      sidecarService?: components['schemas']['dev.orch.v1.ConsulSidecarService'];
      sidecarTask?: components['schemas']['dev.orch.v1.SidecarTask'];
    };
    'dev.orch.v1.ConsulExposeConfig': {
      paths?: components['schemas']['dev.orch.v1.ConsulExposePath'][];
    };
    'dev.orch.v1.ConsulExposePath': {
      path?: string;
      protocol?: string;
      localPathPort?: number;
      listenerPort?: string;
    };
    'dev.orch.v1.ConsulGateway': {
      proxy?: components['schemas']['dev.orch.v1.ConsulGatewayProxy'];
      ingress?: components['schemas']['dev.orch.v1.ConsulIngressConfigEntry'];
      terminating?: components['schemas']['dev.orch.v1.ConsulTerminatingConfigEntry'];
      mesh?: components['schemas']['dev.orch.v1.ConsulMeshConfigEntry'];
    };
    'dev.orch.v1.ConsulGatewayBindAddress': {
      name?: string;
      address?: string;
      port?: number;
    };
    'dev.orch.v1.ConsulGatewayProxy': {
      /** Format: go-duration */
      connectTimeout?: string;
      envoyGatewayBindTaggedAddresses?: boolean;
      envoyGatewayBindAddresses?: components['schemas']['dev.orch.v1.ConsulGatewayBindAddress'][];
      envoyGatewayNoDefaultBind?: boolean;
      envoyDnsDiscoveryType?: string;
      config?: {
        [key: string]: unknown;
      };
    };
    'dev.orch.v1.ConsulGatewayTLSConfig': {
      enabled?: boolean;
      tlsMinVersion?: string;
      tlsMaxVersion?: string;
      cipherSuites?: string[];
      sds?: components['schemas']['dev.orch.v1.ConsulGatewayTLSSDSConfig'];
    };
    'dev.orch.v1.ConsulGatewayTLSSDSConfig': {
      clusterName?: string;
      certResource?: string;
    };
    'dev.orch.v1.ConsulHTTPHeaderModifiers': {
      add?: {
        [key: string]: string;
      };
      set?: {
        [key: string]: string;
      };
      remove?: string[];
    };
    'dev.orch.v1.ConsulIngressConfigEntry': {
      tls?: components['schemas']['dev.orch.v1.ConsulGatewayTLSConfig'];
      listeners?: components['schemas']['dev.orch.v1.ConsulIngressListener'][];
    };
    'dev.orch.v1.ConsulIngressListener': {
      port?: number;
      protocol?: string;
      services?: components['schemas']['dev.orch.v1.ConsulIngressService'][];
    };
    'dev.orch.v1.ConsulIngressService': {
      name?: string;
      hosts?: string[];
      tls?: components['schemas']['dev.orch.v1.ConsulGatewayTLSConfig'];
      requestHeaders?: components['schemas']['dev.orch.v1.ConsulHTTPHeaderModifiers'];
      responseHeaders?: components['schemas']['dev.orch.v1.ConsulHTTPHeaderModifiers'];
      maxConnections?: number;
      maxPendingRequests?: number;
      maxConcurrentRequests?: number;
    };
    'dev.orch.v1.ConsulLinkedService': {
      name?: string;
      caFile?: string;
      certFile?: string;
      keyFile?: string;
      sni?: string;
    };
    'dev.orch.v1.ConsulMeshConfigEntry': Record<string, never>;
    'dev.orch.v1.ConsulMeshGateway': {
      mode?: string;
    };
    'dev.orch.v1.ConsulProxy': {
      localServiceAddress?: string;
      localServicePort?: number;
      expose?: components['schemas']['dev.orch.v1.ConsulExposeConfig'];
      upstreams?: components['schemas']['dev.orch.v1.ConsulUpstream'][];
      transparentProxy?: components['schemas']['dev.orch.v1.ConsulTransparentProxy'];
      config?: {
        [key: string]: unknown;
      };
    };
    'dev.orch.v1.ConsulSidecarService': {
      tags?: string[];
      port?: string;
      proxy?: components['schemas']['dev.orch.v1.ConsulProxy'];
      disableDefaultTcpCheck?: boolean;
      meta?: {
        [key: string]: string;
      };
    };
    'dev.orch.v1.ConsulTerminatingConfigEntry': {
      services?: components['schemas']['dev.orch.v1.ConsulLinkedService'][];
    };
    'dev.orch.v1.ConsulTransparentProxy': {
      uid?: string;
      outboundPort?: number;
      excludeInboundPorts?: string[];
      excludeOutboundPorts?: number[];
      excludeOutboundCidrs?: string[];
      excludeUids?: string[];
      noDns?: boolean;
    };
    'dev.orch.v1.ConsulUpstream': {
      destinationName?: string;
      destinationNamespace?: string;
      destinationPeer?: string;
      destinationPartition?: string;
      destinationType?: string;
      localBindPort?: number;
      datacenter?: string;
      localBindAddress?: string;
      localBindSocketPath?: string;
      localBindSocketMode?: string;
      meshGateway?: components['schemas']['dev.orch.v1.ConsulMeshGateway'];
      config?: {
        [key: string]: unknown;
      };
    };
    'dev.orch.v1.DNSConfig': {
      servers?: string[];
      searches?: string[];
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
    'dev.orch.v1.Device': {
      name?: string;
      count?: number;
      constraints?: components['schemas']['dev.orch.v1.Constraint'][];
      affinities?: components['schemas']['dev.orch.v1.Affinity'][];
    };
    'dev.orch.v1.DisconnectStrategy': {
      /** Format: go-duration */
      lostAfter?: string;
      /** Format: go-duration */
      stopOnClientAfter?: string;
      replace?: boolean;
      reconcile?: string;
    };
    'dev.orch.v1.DispatchPayloadConfig': {
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
       * @description When the phase last changed.
       */
      updatedAt?: string;
      /** @description Allocations that are not terminal yet. */
      remaining?: number;
      /** @description Why it was asked for. */
      message?: string;
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
    'dev.orch.v1.EphemeralDisk': {
      sticky?: boolean;
      migrate?: boolean;
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
      region?: string;
      id?: string;
      name?: string;
      type?: string;
      priority?: number;
      allAtOnce?: boolean;
      datacenters?: string[];
      nodePool?: string;
      constraints?: components['schemas']['dev.orch.v1.Constraint'][];
      affinities?: components['schemas']['dev.orch.v1.Affinity'][];
      groups?: components['schemas']['dev.orch.v1.TaskGroup'][];
      update?: components['schemas']['dev.orch.v1.UpdateStrategy'];
      multiregion?: components['schemas']['dev.orch.v1.Multiregion'];
      spreads?: components['schemas']['dev.orch.v1.Spread'][];
      periodic?: components['schemas']['dev.orch.v1.PeriodicConfig'];
      parameterized?: components['schemas']['dev.orch.v1.ParameterizedJobConfig'];
      reschedule?: components['schemas']['dev.orch.v1.ReschedulePolicy'];
      migrate?: components['schemas']['dev.orch.v1.MigrateStrategy'];
      meta?: {
        [key: string]: string;
      };
      ui?: components['schemas']['dev.orch.v1.JobUIConfig'];
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
      /** @description Name of the newest Deployment of this job. */
      latestDeployment?: string;
      /** @description How many allocations of each group are in which state. */
      groups?: components['schemas']['dev.orch.v1.GroupSummary'][];
      /** @description Observations in the usual Kubernetes form. */
      conditions?: components['schemas']['dev.orch.v1.Condition'][];
    };
    'dev.orch.v1.JobUIConfig': {
      description?: string;
      links?: components['schemas']['dev.orch.v1.JobUILink'][];
    };
    'dev.orch.v1.JobUILink': {
      label?: string;
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
    'dev.orch.v1.LogConfig': {
      maxFiles?: number;
      maxFileSize?: number;
      enabled?: boolean;
      disabled?: boolean;
    };
    'dev.orch.v1.MigrateStrategy': {
      maxParallel?: number;
      healthCheck?: string;
      /** Format: go-duration */
      minHealthyTime?: string;
      /** Format: go-duration */
      healthyDeadline?: string;
    };
    'dev.orch.v1.Multiregion': {
      strategy?: components['schemas']['dev.orch.v1.MultiregionStrategy'];
      regions?: components['schemas']['dev.orch.v1.MultiregionRegion'][];
    };
    'dev.orch.v1.MultiregionRegion': {
      name: string;
      count?: number;
      datacenters?: string[];
      nodePool?: string;
      meta?: {
        [key: string]: string;
      };
    };
    'dev.orch.v1.MultiregionStrategy': {
      maxParallel?: number;
      onFailure?: string;
    };
    'dev.orch.v1.NUMAResource': {
      affinity?: string;
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
    };
    'dev.orch.v1.Network': {
      mode?: string;
      device?: string;
      cidr?: string;
      ip?: string;
      dns?: components['schemas']['dev.orch.v1.DNSConfig'];
      ports?: components['schemas']['dev.orch.v1.Port'][];
      hostname?: string;
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
       * @description How nodes of the pool are filled; binpack when absent.
       * @enum {string}
       */
      schedulerAlgorithm?: 'binpack' | 'spread';
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
    'dev.orch.v1.ParameterizedJobConfig': {
      payload?: string;
      metaRequired?: string[];
      metaOptional?: string[];
    };
    'dev.orch.v1.PeriodicConfig': {
      enabled?: boolean;
      cron?: string;
      crons?: string[];
      prohibitOverlap?: boolean;
      timeZone?: string;
    };
    'dev.orch.v1.Port': {
      label: string;
      static?: number;
      to?: number;
      hostNetwork?: string;
      ignoreCollision?: boolean;
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
    'dev.orch.v1.ReschedulePolicy': {
      attempts?: number;
      /** Format: go-duration */
      interval?: string;
      /** Format: go-duration */
      delay?: string;
      delayFunction?: string;
      /** Format: go-duration */
      maxDelay?: string;
      unlimited?: boolean;
    };
    'dev.orch.v1.Resources': {
      cpu?: number;
      cores?: number;
      memory?: number;
      memoryMax?: number;
      disk?: number;
      networks?: components['schemas']['dev.orch.v1.Network'][];
      devices?: components['schemas']['dev.orch.v1.Device'][];
      numa?: components['schemas']['dev.orch.v1.NUMAResource'];
      secrets?: number;
      iops?: number;
    };
    'dev.orch.v1.RestartPolicy': {
      /** Format: go-duration */
      interval?: string;
      attempts?: number;
      /** Format: go-duration */
      delay?: string;
      mode?: string;
      renderTemplates?: boolean;
    };
    'dev.orch.v1.ScalingPolicy': {
      min?: number;
      max?: number;
      policy?: {
        [key: string]: unknown;
      };
      enabled?: boolean;
      type?: string;
    };
    'dev.orch.v1.Secret': {
      name: string;
      provider?: string;
      path?: string;
      config?: {
        [key: string]: unknown;
      };
      env?: {
        [key: string]: string;
      };
    };
    'dev.orch.v1.Service': {
      name?: string;
      tags?: string[];
      canaryTags?: string[];
      enableTagOverride?: boolean;
      port?: string;
      addressMode?: string;
      address?: string;
      checks?: components['schemas']['dev.orch.v1.Check'][];
      checkRestart?: components['schemas']['dev.orch.v1.CheckRestart'];
      connect?: components['schemas']['dev.orch.v1.ConsulConnect'];
      meta?: {
        [key: string]: string;
      };
      canaryMeta?: {
        [key: string]: string;
      };
      taggedAddresses?: {
        [key: string]: string;
      };
      task?: string;
      onUpdate?: string;
      identity?: components['schemas']['dev.orch.v1.WorkloadIdentity'];
      weights?: components['schemas']['dev.orch.v1.ServiceWeights'];
      provider?: string;
      cluster?: string;
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
    'dev.orch.v1.ServiceWeights': {
      passing?: number;
      warning?: number;
    };
    'dev.orch.v1.SidecarTask': {
      name?: string;
      driver?: string;
      user?: string;
      config?: {
        [key: string]: unknown;
      };
      env?: {
        [key: string]: string;
      };
      resources?: components['schemas']['dev.orch.v1.Resources'];
      meta?: {
        [key: string]: string;
      };
      /** Format: go-duration */
      killTimeout?: string;
      logs?: components['schemas']['dev.orch.v1.LogConfig'];
      /** Format: go-duration */
      shutdownDelay?: string;
      killSignal?: string;
      volumeMounts?: components['schemas']['dev.orch.v1.VolumeMount'][];
      identities?: components['schemas']['dev.orch.v1.WorkloadIdentity'][];
    };
    'dev.orch.v1.Spread': {
      attribute?: string;
      weight?: number;
      targets?: components['schemas']['dev.orch.v1.SpreadTarget'][];
    };
    'dev.orch.v1.SpreadTarget': {
      value: string;
      percent?: number;
    };
    'dev.orch.v1.Task': {
      name: string;
      driver?: string;
      user?: string;
      lifecycle?: components['schemas']['dev.orch.v1.TaskLifecycle'];
      config?: {
        [key: string]: unknown;
      };
      constraints?: components['schemas']['dev.orch.v1.Constraint'][];
      affinities?: components['schemas']['dev.orch.v1.Affinity'][];
      env?: {
        [key: string]: string;
      };
      services?: components['schemas']['dev.orch.v1.Service'][];
      resources?: components['schemas']['dev.orch.v1.Resources'];
      restart?: components['schemas']['dev.orch.v1.RestartPolicy'];
      meta?: {
        [key: string]: string;
      };
      /** Format: go-duration */
      killTimeout?: string;
      logs?: components['schemas']['dev.orch.v1.LogConfig'];
      artifacts?: components['schemas']['dev.orch.v1.Artifact'][];
      vault?: components['schemas']['dev.orch.v1.Vault'];
      consul?: components['schemas']['dev.orch.v1.Consul'];
      templates?: components['schemas']['dev.orch.v1.Template'][];
      dispatchPayload?: components['schemas']['dev.orch.v1.DispatchPayloadConfig'];
      volumeMounts?: components['schemas']['dev.orch.v1.VolumeMount'][];
      csiPlugin?: components['schemas']['dev.orch.v1.TaskCSIPluginConfig'];
      leader?: boolean;
      /** Format: go-duration */
      shutdownDelay?: string;
      killSignal?: string;
      kind?: string;
      scalings?: components['schemas']['dev.orch.v1.ScalingPolicy'][];
      secrets?: components['schemas']['dev.orch.v1.Secret'][];
      identities?: components['schemas']['dev.orch.v1.WorkloadIdentity'][];
      actions?: components['schemas']['dev.orch.v1.Action'][];
      schedule?: components['schemas']['dev.orch.v1.TaskSchedule'];
    };
    'dev.orch.v1.TaskCSIPluginConfig': {
      id?: string;
      type?: string;
      mountDir?: string;
      stagePublishBaseDir?: string;
      /** Format: go-duration */
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
    'dev.orch.v1.TaskGroup': {
      name: string;
      count?: number;
      constraints?: components['schemas']['dev.orch.v1.Constraint'][];
      affinities?: components['schemas']['dev.orch.v1.Affinity'][];
      tasks?: components['schemas']['dev.orch.v1.Task'][];
      spreads?: components['schemas']['dev.orch.v1.Spread'][];
      volumes?: components['schemas']['dev.orch.v1.VolumeRequest'][];
      restart?: components['schemas']['dev.orch.v1.RestartPolicy'];
      disconnect?: components['schemas']['dev.orch.v1.DisconnectStrategy'];
      reschedule?: components['schemas']['dev.orch.v1.ReschedulePolicy'];
      ephemeralDisk?: components['schemas']['dev.orch.v1.EphemeralDisk'];
      update?: components['schemas']['dev.orch.v1.UpdateStrategy'];
      migrate?: components['schemas']['dev.orch.v1.MigrateStrategy'];
      networks?: components['schemas']['dev.orch.v1.Network'][];
      meta?: {
        [key: string]: string;
      };
      services?: components['schemas']['dev.orch.v1.Service'][];
      /** Format: go-duration */
      shutdownDelay?: string;
      /** Format: go-duration */
      maxRunDuration?: string;
      /** Format: go-duration */
      stopAfterClientDisconnect?: string;
      /** Format: go-duration */
      maxClientDisconnect?: string;
      scaling?: components['schemas']['dev.orch.v1.ScalingPolicy'];
      consul?: components['schemas']['dev.orch.v1.Consul'];
      preventRescheduleOnLost?: boolean;
    };
    'dev.orch.v1.TaskLifecycle': {
      hook?: string;
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
    'dev.orch.v1.TaskSchedule': {
      cron?: components['schemas']['dev.orch.v1.TaskScheduleCron'];
    };
    'dev.orch.v1.TaskScheduleCron': {
      start?: string;
      end?: string;
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
    'dev.orch.v1.Template': {
      source?: string;
      destination?: string;
      data?: string;
      changeMode?: string;
      changeScript?: components['schemas']['dev.orch.v1.ChangeScript'];
      changeSignal?: string;
      once?: boolean;
      /** Format: go-duration */
      splay?: string;
      perms?: string;
      uid?: number;
      gid?: number;
      leftDelimiter?: string;
      rightDelimiter?: string;
      env?: boolean;
      /** Format: go-duration */
      vaultGrace?: string;
      wait?: components['schemas']['dev.orch.v1.WaitConfig'];
      errorOnMissingKey?: boolean;
    };
    'dev.orch.v1.UpdateStrategy': {
      /** Format: go-duration */
      stagger?: string;
      maxParallel?: number;
      healthCheck?: string;
      /** Format: go-duration */
      minHealthyTime?: string;
      /** Format: go-duration */
      healthyDeadline?: string;
      /** Format: go-duration */
      progressDeadline?: string;
      canary?: number;
      autoRevert?: boolean;
      autoPromote?: boolean;
    };
    'dev.orch.v1.Vault': {
      policies?: string[];
      role?: string;
      namespace?: string;
      cluster?: string;
      env?: boolean;
      disableFile?: boolean;
      changeMode?: string;
      changeSignal?: string;
      allowTokenExpiration?: boolean;
    };
    'dev.orch.v1.VolumeMount': {
      volume?: string;
      destination?: string;
      readOnly?: boolean;
      propagationMode?: string;
      selinuxLabel?: string;
    };
    'dev.orch.v1.VolumeRequest': {
      name: string;
      type?: string;
      source?: string;
      readOnly?: boolean;
      sticky?: boolean;
      accessMode?: string;
      attachmentMode?: string;
      mountOptions?: components['schemas']['dev.orch.v1.CSIMountOptions'];
      perAlloc?: boolean;
    };
    'dev.orch.v1.WaitConfig': {
      /** Format: go-duration */
      min?: string;
      /** Format: go-duration */
      max?: string;
    };
    'dev.orch.v1.WorkloadIdentity': {
      name?: string;
      aud?: string[];
      changeMode?: string;
      changeSignal?: string;
      env?: boolean;
      file?: boolean;
      filepath?: string;
      serviceName?: string;
      /** Format: go-duration */
      ttl?: string;
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
