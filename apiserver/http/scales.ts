import { defineApiKind, type ApiKind } from '../registry/kinds.ts';
import type { ApiObject } from '../registry/object.ts';
import { scaleOf } from '../registry/scale.ts';
import { SchemaSet, type JsonSchema } from '../registry/schema.ts';
import { unstored, type Version } from '../registry/version.ts';

export const SCALE_SCHEMA: JsonSchema = {
  type: 'object',
  description: 'How many of something are wanted.',
  'x-kubernetes-group-version-kind': [{ group: 'autoscaling', version: 'v1', kind: 'Scale' }],
  properties: {
    apiVersion: { type: 'string', description: 'autoscaling/v1.' },
    kind: { type: 'string', description: 'Scale.' },
    metadata: { type: 'object', description: 'Of the object that is scaled.', 'x-kubernetes-preserve-unknown-fields': true },
    spec: {
      type: 'object',
      description: 'What is wanted.',
      properties: { replicas: { type: 'integer', description: 'How many.' } },
    },
    status: {
      type: 'object',
      description: 'What there is.',
      properties: {
        replicas: { type: 'integer', description: 'How many there are.' },
        selector: { type: 'string', description: 'The label selector of what is counted.' },
      },
    },
  },
};

/** Scale as a kind, for tables. Its objects are stored nowhere: each is a view of another one. */
export const scaleKind: ApiKind = defineApiKind(
  {
    spec: {
      group: 'autoscaling',
      scope: 'Namespaced',
      names: { kind: 'Scale', plural: 'scales' },
      versions: [
        {
          name: 'v1',
          additionalPrinterColumns: [
            { name: 'Desired', type: 'integer', jsonPath: '.spec.replicas' },
            { name: 'Available', type: 'integer', jsonPath: '.status.replicas' },
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
        },
      ],
    },
  },
  'v1',
  new SchemaSet({}),
  SCALE_SCHEMA,
);

/** The Scale of a version of an object. */
export const scaleVersion = (kind: ApiKind, { key, object, revision }: Version): Version =>
  unstored(key, scaleOf(kind, object) as unknown as ApiObject, revision);
