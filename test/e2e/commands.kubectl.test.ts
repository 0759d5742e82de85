/**
 * kubectl as it comes, against a whole control plane with an agent: every verb, on embedded store and (where etcd is installed) on etcd.
 * What an old kubectl does not know is said aloud and left out.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePorts, Sandbox } from '../framework/orchctl.ts';
import { startEtcd } from '../apiserver/storage/etcd-process.ts';

const JOB = (count: number, more = ''): string => `apiVersion: orch.dev/v1
kind: Job
metadata:
  name: web
  namespace: default
  labels: {app: web}
spec:
  datacenters: [dc1]
${more}  groups:
    - name: g
      count: ${count}
      tasks:
        - name: sleep
          driver: raw_exec
          config: {command: sleep, args: ["1000"]}
          resources: {cpu: 20, memory: 16}
`;

const CRD = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets, shortNames: [wd]}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}, scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}}
      additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {size: {type: integer, minimum: 0, description: How large it is.}}}
            status: {type: object, properties: {size: {type: integer}}}
`;

interface Expectation {
  /** The exit code; 0 when absent. */
  readonly code?: number;
  readonly input?: string;
  /** The minor version of the first kubectl that can do it. */
  readonly since?: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** Splits a command line as a shell does, as far as these need it: words, parts of which may be in single quotes. */
const words = (line: string): string[] => (line.match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) => word.replaceAll("'", ''));

async function everyVerb(t: Test, storeArgs: readonly string[]): Promise<void> {
  const [http, rpc, proxied] = await freePorts(3);
  const box = new Sandbox(`http://127.0.0.1:${http}`);
  t.teardown(() => box.close());
  const agent = box.start('agent', '-dev', `-http-port=${http}`, `-rpc-port=${rpc}`, ...storeArgs);
  await agent.says(/orch agent started!/);

  const file = (name: string, text: string): void => writeFileSync(join(box.dir, name), text);
  file('config', JSON.stringify({ apiVersion: 'v1', kind: 'Config', clusters: [{ name: 'o', cluster: { server: box.address } }], contexts: [{ name: 'o', context: { cluster: 'o', user: 'o', namespace: 'default' } }], users: [{ name: 'o', user: {} }], 'current-context': 'o' })); // prettier-ignore
  file('job.yaml', JOB(2));
  file('job3.yaml', JOB(3));
  file('job5.yaml', JOB(5));
  file('team.yaml', JOB(1).replace('namespace: default', 'namespace: team'));
  file('bad.yaml', JOB(1, '  cuont: 1\n'));
  file('wrong.yaml', JOB(-1));
  file('crd.yaml', CRD);
  file('widget.yaml', 'apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w, namespace: default}\nspec: {size: 3}\n');
  file('editor.sh', '#!/bin/sh\nsed -i "s/priority: 50/priority: 55/" "$1"\n');
  mkdirSync(join(box.dir, 'home'));
  const env = { KUBECONFIG: join(box.dir, 'config'), HOME: join(box.dir, 'home'), EDITOR: `sh ${join(box.dir, 'editor.sh')}` };
  const raw = (line: string, options: Expectation = {}) =>
    box.run('kubectl', words(line), { env: { ...env, ...options.env }, ...(options.input !== undefined && { input: options.input }) }); // prettier-ignore
  const minor = Number(/GitVersion:"?v1\.(\d+)|"gitVersion": "v1\.(\d+)/.exec((await raw('version --client -o json')).stdout)?.slice(1).find(Boolean)); // prettier-ignore
  t.ok(minor > 0, `kubectl 1.${minor}`);

  let ran = 0;
  const left: string[] = [];
  /** Runs a command and compares what it prints, and its exit code. */
  const k = async (line: string, expected: RegExp | RegExp[], options: Expectation = {}): Promise<string> => {
    if ((options.since ?? 0) > minor) {
      left.push(`${line.split(' ').slice(0, 4).join(' ')} (1.${options.since})`);
      return '';
    }
    ran++;
    const { code, stdout, stderr } = await raw(line, options);
    const output = stdout + stderr;
    const good = code === (options.code ?? 0) && [expected].flat().every((pattern) => pattern.test(output));
    t.ok(good, `kubectl ${line}`, good ? {} : { code, output, expected: [expected].flat().map(String) });
    return stdout;
  };

  // What there is.
  await k('version', /Server Version.*v1\.32/s);
  await k('cluster-info', /control plane.* is running at/);
  await k('api-versions', /^authorization\.k8s\.io\/v1\n(.*\n)*coordination\.k8s\.io\/v1\norch\.dev\/v1\nv1$/m);
  await k('api-resources', [/^jobs +jo +orch\.dev\/v1 +true +Job$/m, /^namespaces +ns +v1 +false +Namespace$/m]);
  await k('api-resources --namespaced=false --api-group=orch.dev -o name', /^nodepools\.orch\.dev\nnodes\.orch\.dev$/m);
  await k('explain job.spec.groups.tasks.env', [/FIELD: +env <map\[string\]string>/, /Environment variables/], { since: 27 });
  await k('explain jobs --recursive', /groups\s*<\[\]/, { since: 27 });
  await k('get --raw /readyz', /^ok$/);
  await k('auth can-i create jobs', /^yes/);
  await k('auth can-i --list', /\*\.\* +\[\] +\[\] +\[\*\]/);
  await k('auth whoami', /system:anonymous/, { since: 27 });
  await k('get nodes', /ready/);
  await k('get nodes -o wide', /ready/);
  await k('get namespaces', [/^default +Active/m, /^orch-system +Active/m]);
  await k('get leases -n orch-system', /scheduler/);
  await k('get services -A', /No resources found/);
  await k('get all', /No resources found/);

  // Create, and what is refused.
  await k('create -f bad.yaml', /unknown field "spec.cuont"|ValidationError/, { code: 1, since: 25 });
  await k('create -f wrong.yaml', /spec\.groups\[0\]\.count/, { code: 1 });
  await k('create -f job.yaml --dry-run=client -o name', /^job\.orch\.dev\/web$/m);
  await k('create -f job.yaml --dry-run=server', /created \(server dry run\)/, { since: 27 });
  await k('get job web', /NotFound/, { code: 1 });
  await k('create -f job.yaml', /job\.orch\.dev\/web created/);
  await k('create -f job.yaml', /AlreadyExists/, { code: 1 });
  await k('create ns team', /namespace\/team created/);
  await k('create -f team.yaml', /created/);
  await k('get jobs -A', [/^default +web/m, /^team +web/m]);

  // Look at it.
  await k(`wait --for=jsonpath='{.status.phase}'=running job/web --timeout=60s`, /condition met/, { since: 23 });
  await k('wait --for=condition=Placed job/web --timeout=60s', /condition met/);
  await k('get job web', [/^NAME +TYPE +PRIORITY +STATUS/, /^web +service +50/m]);
  await k('get jo/web -o wide', /DESCRIPTION/);
  await k('get job web -o name', /^job\.orch\.dev\/web$/m);
  await k('get job web -o json', /"kind": "Job"/);
  await k('get job web -o yaml', /^kind: Job$/m);
  await k(`get job web -o jsonpath='{.spec.groups[0].name}:{.spec.groups[0].count}'`, /^g:2$/);
  await k('get jobs -o custom-columns=N:.metadata.name,P:.spec.priority', /^N +P\nweb +50$/m);
  await k(`get jobs -o go-template='{{range .items}}{{.metadata.name}} {{end}}'`, /^web $/);
  await k('get jobs -l app=web --show-labels', /app=web/);
  await k(`get jobs -l 'app in (web,api),!gone' -L app`, /^web .* web$/m);
  await k('get jobs -l app!=web', /No resources found/);
  await k('get jobs --field-selector metadata.name=web', /^web/m);
  await k('get jobs --field-selector nonsense=1', /field label not supported/, { code: 1 });
  await k('get jobs -l =', /selector/, { code: 1 });
  await k('get jobs --sort-by=.metadata.name -A', /^default +web/m);
  await k('get jobs --chunk-size=1 -A --no-headers', /web.*\n.*web/);
  await k('get all', [/allocation\.orch\.dev\/.* web\.g\[0\] .*running/, /job\.orch\.dev\/web/, /deployment\.orch\.dev\//]);
  await k('get allocations --field-selector spec.jobName=web -o name', /^(allocation\.orch\.dev\/[0-9a-f-]{36}\n){2}$/);
  await k('get evaluations,jobversions', [/job-register/, /web-.*-v0/]);
  await k('get job web --subresource=status', /^web/m, { since: 24 });
  await k('get job web --subresource=scale', /^NAME +DESIRED +AVAILABLE +AGE\nweb +2 +2/m, { since: 24 });
  await k('describe job web', [/^Name: +web$/m, /^API Version: +orch\.dev\/v1$/m, /^Events:/m]);
  await k('describe nodes', /^Kind: +Node$/m);
  await k('describe ns team', /^Status: +Active$/m);
  await k('get events -A', /NodeReady|Node registered/);
  await k('events -A', /Node registered/, { since: 26 });
  await k('get jobs --watch --request-timeout=1s', /^web/m);

  // Change it.
  await k('label job web tier=front', /labeled/);
  await k('label jobs --all tier-', /(un)?labeled/);
  await k('annotate job web note=hello', /annotated/);
  await k('annotate job web note=again', /already has a value|--overwrite/, { code: 1 });
  await k(`patch job web --type=merge -p '{"spec":{"priority":60}}'`, /patched/);
  await k(`patch job web --type=json -p '[{"op":"replace","path":"/spec/priority","value":50}]'`, /patched/);
  await k(`patch job web --type=json -p '[{"op":"test","path":"/spec/priority","value":1}]'`, /test|invalid/i, { code: 1 });
  await k(`patch job web -p '{"spec":{"priority":60}}'`, /strategic merge patch|--type/, { code: 1 });
  await k(`patch job web --subresource=status --type=merge -p '{"status":{"description":"by hand"}}'`, /patched/, { since: 24 });
  await k('edit job web', /edited/);
  await k(`get job web -o jsonpath='{.spec.priority}'`, /^55$/);
  await k('scale job/web --replicas=1', /scaled/);
  await k('scale job/web --replicas=2 --current-replicas=1', /scaled/);
  await k('scale job/web --replicas=2 --current-replicas=7', /Expected replicas to be 7/, { code: 1 });
  await k(`get job web -o jsonpath='{.spec.groups[0].count}'`, /^2$/);
  await k('replace -f job3.yaml', /replaced/);
  await k(`get job web -o jsonpath='{.spec.groups[0].count},{.spec.priority}'`, /^3,50$/);

  // Apply, by both ways.
  await k('diff -f job.yaml', /^[-+] +(- )?count: [23]$/m, { code: 1, since: 27 });
  await k('apply -f job.yaml', /configured/);
  const generation = await k(`get job web -o jsonpath='{.metadata.generation}'`, /^\d+$/);
  await k('apply -f job.yaml', /configured|unchanged/);
  await k(`get job web -o jsonpath='{.metadata.generation}'`, new RegExp(`^${generation}$`));
  await k('diff -f job.yaml', /^$/, { since: 27 });
  await k('apply -f job3.yaml --dry-run=server', /configured \(server dry run\)/, { since: 27 });
  await k('apply view-last-applied job/web', /count: 2/);
  await k('apply -f job3.yaml --server-side', /serverside-applied/, { since: 22 });
  await k('diff -f job5.yaml --server-side', /count: 5/, { code: 1, since: 22 });
  await k('apply -f job5.yaml --server-side --field-manager=other', [/conflict with "kubectl/, /\.spec\.groups\[name="g"\]\.count/], { code: 1 }); // prettier-ignore
  await k('apply -f job5.yaml --server-side --field-manager=other --force-conflicts', /serverside-applied/);
  await k(`get job web --show-managed-fields -o jsonpath='{.metadata.managedFields[*].manager}'`, /other/, { since: 21 });
  await k(`get job web -o jsonpath='{.spec.groups[0].count}'`, /^5$/);
  await k('apply -f -', /created/, { input: 'apiVersion: orch.dev/v1\nkind: NodePool\nmetadata: {name: from-stdin}\nspec: {description: x}\n' }); // prettier-ignore
  await k('apply -f - --server-side', /serverside-applied/, { input: 'apiVersion: v1\nkind: Namespace\nmetadata: {name: applied}\n' }); // prettier-ignore

  // Kinds of one's own.
  await k('apply -f crd.yaml', /created/);
  await k('wait --for=condition=Established crd/widgets.example.com --timeout=20s', /condition met/);
  await k('apply -f widget.yaml', /created/);
  await k('get wd', /^NAME +SIZE\nw +3/m);
  await k('scale widget/w --replicas=4', /scaled/);
  await k(`get widget w -o jsonpath='{.spec.size}'`, /^4$/);
  await k('explain widget.spec.size', /How large it is/, { since: 27 });

  // The proxy, and raw requests.
  const proxy = box.spawn('kubectl', ['proxy', `--port=${proxied}`], env);
  await proxy.says(/Starting to serve/);
  const answer = await fetch(`http://127.0.0.1:${proxied}/apis/orch.dev/v1/namespaces/default/jobs/web`);
  t.match(await answer.json(), { kind: 'Job' }, 'through kubectl proxy');
  await proxy.kill();
  await k('get --raw /apis/orch.dev/v1', /"kind":"APIResourceList"/);

  // What kubectl does for its own kinds only ends in a sentence, not in a crash.
  await k('rollout status job/web', /no kind "Job"|not supported|unable to decode|no status viewer/i, { code: 1 });

  // The end of it.
  await k('delete nodepool from-stdin --dry-run=server', /deleted \(server dry run\)/, { since: 27 });
  await k('delete nodepool from-stdin', /deleted/);
  await k('delete nodepool from-stdin', /NotFound/, { code: 1 });
  await k('delete nodepool from-stdin --ignore-not-found', /^$/);
  await k('delete job web --cascade=orphan', /nothing could stop its allocations/, { code: 1 });
  await k('delete job web --wait=false', /deleted/);
  await k('wait --for=delete job/web --timeout=60s', /condition met|^$/, { since: 22 });
  await k('create -f job.yaml --save-config', /created/);
  await k('delete -f job.yaml --cascade=foreground', /deleted/);
  await k('get jobs', /No resources found/);
  await k('delete widgets --all --grace-period=0', /deleted/);
  await k('delete crd widgets.example.com', /deleted/);
  await k('get widgets', /doesn't have a resource type|could not find the requested resource/, { code: 1 });
  await k('delete namespace team applied', [/"team" deleted/, /"applied" deleted/]);
  await k('get jobs -A', /No resources found/);
  await k('delete ns default', /may not be deleted/, { code: 1 });

  if (left.length > 0) t.comment(`kubectl 1.${minor} is too old for: ${left.join(', ')}`);
  t.ok(ran >= (minor >= 27 ? 100 : 60), `${ran} commands`);
}

await t.test('every verb of kubectl', async (t) => {
  await t.test('on the embedded store', (t) => everyVerb(t, []));
  let etcd: Awaited<ReturnType<typeof startEtcd>> | undefined;
  try {
    etcd = await startEtcd();
  } catch (error) {
    if (process.env['ORCH_REQUIRE']?.includes('etcd')) throw error;
  }
  if (etcd === undefined) {
    t.comment('not on etcd: it is not installed');
    return;
  }
  const { endpoint } = etcd;
  await t.test('on etcd', (t) => everyVerb(t, [`-etcd-endpoints=${endpoint}`]));
  await etcd.close();
});
