import type { HclFunction } from '../evaluate.ts';
import { string } from '../value.ts';
import { csvDecode } from './csv.ts';
import { define, p, text } from './define.ts';
import { jsonDecode, jsonEncode } from './json.ts';
import { yamlDecode, yamlEncode } from './yaml.ts';

export const encoding: Record<string, HclFunction> = {
  jsonencode: { parameters: [p.nullable('val')], call: ([v]) => string(jsonEncode(v!)) },
  jsondecode: define([p.string('str')], ([s]) => jsonDecode(text(s))),
  yamlencode: { parameters: [p.nullable('value')], call: ([v]) => string(yamlEncode(v!)) },
  yamldecode: define([p.string('src')], ([s]) => yamlDecode(text(s))),
  csvdecode: define([p.string('str')], ([s]) => csvDecode(text(s))),
  base64encode: define([p.string('str')], ([s]) => string(Buffer.from(text(s), 'utf8').toString('base64'))),
  base64decode: define([p.string('str')], ([s]) => string(base64Decode(text(s)))),
  urlencode: define([p.string('str')], ([s]) => string(queryEscape(text(s)))),
};

/** As Go's query escaping: a blank is a plus, and only letters, digits and `-_.~` stay. */
function queryEscape(s: string): string {
  return encodeURIComponent(s)
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}

function base64Decode(s: string): string {
  const bytes = Buffer.from(s, 'base64');
  if (!/^[A-Za-z0-9+/\r\n]*={0,2}[\r\n]*$/.test(s) || s.replace(/[\r\n]/g, '').length % 4 !== 0) {
    throw new Error(`failed to decode base64 data '${s}'`);
  }
  const out = bytes.toString('utf8');
  if (!Buffer.from(out, 'utf8').equals(bytes))
    throw new Error('the result of decoding the the provided string is not valid UTF-8');
  return out;
}
