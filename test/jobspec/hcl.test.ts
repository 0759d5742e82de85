import { createRequire } from 'node:module';
import t from 'tap';
import { diffJobs, formatHclFile, formatImpacts, impacts, parseJob, secondOpinion } from '../../jobspec/index.ts';
import {
  Diagnostics,
  evaluate,
  formatDiagnosticLine,
  formatDiagnostics,
  parseHclBody,
  parseHclExpression,
  Source,
  standardFunctions,
  toPlain,
  type Expression,
  type HclBody,
  type Scope,
} from '../../jobspec/hcl/index.ts';

const require = createRequire(import.meta.url);

const files: Record<string, string> = {
  'hello.tpl': 'Hello ${name}!%{ for p in ports } ${p}%{ endfor }\n',
  'a/b.txt': 'inner',
};
const scope: Scope = {
  variables: new Map(),
  functions: standardFunctions(
    {
      now: () => new Date('2021-06-22T13:05:09.123Z'),
      files: { directory: '/job', read: (path) => files[path], list: () => Object.keys(files) },
    },
    () => scope,
  ),
  unknownReference: (text) => ({ kind: 'string', string: `\${${text}}` }),
};

function evaluated(text: string): { value: unknown; problems: string[] } {
  const diagnostics = new Diagnostics();
  const parsed = parseHclExpression(new Source(text, ''));
  diagnostics.add(parsed.diagnostics.list);
  const value = evaluate(parsed.expression, scope, diagnostics);
  return {
    value: value.kind === 'number' ? toPlain(value) : toPlain(value),
    problems: diagnostics.list.map(formatDiagnosticLine),
  };
}

t.test('expressions', async (t) => {
  const cases: readonly (readonly [expression: string, value: unknown])[] = [
    ['1 + 2 * 3 - 4 / 2', 5],
    ['"${0.1 + 0.2}"', '0.3'],
    ['"${1 / 3}"', `0.${'3'.repeat(154)}`],
    ['"${10 / 4} ${7 % 3} ${-7 % 3} ${2e3}"', '2.5 1 -1 2000'],
    ['"${9007199254740993 + 1}"', '9007199254740994'],
    ['-(2 + 3)', -5],
    ['!(true && false) || false', true],
    ['1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3 && 1 != 2', true],
    ['"1" == 1', false],
    ['{ a = 1, "b c" = 2, (upper("d")) = 3, e : 4 }', { a: 1, 'b c': 2, D: 3, e: 4 }],
    ['{\n  a = 1\n  b = 2,\n}', { a: 1, b: 2 }],
    ['[1,\n2,\n]', [1, 2]],
    ['[for x in ["a", "b"] : upper(x) if x != "a"]', ['B']],
    ['[for i, x in ["a", "b"] : "${i}${x}"]', ['0a', '1b']],
    ['{for k, v in { b = 1, a = 2 } : v => k}', { 1: 'b', 2: 'a' }],
    ['{for x in ["a1", "a2", "b1"] : substr(x, 0, 1) => x...}', { a: ['a1', 'a2'], b: ['b1'] }],
    ['[{ n = 1 }, { n = 2 }].*.n', [1, 2]],
    ['[{ n = [1] }, { n = [2] }][*].n[0]', [1, 2]],
    ['{ a = { b = [10, 20] } }.a["b"].1', 20],
    ['[10, 20][1 - 1]', 10],
    ['true ? 1 : "x"', '1'],
    ['false ? ["a"] : []', []],
    ['null == null', true],
    ['"a$${b}%%{c}"', 'a${b}%{c}'],
    ['"\\u00e9\\t\\"\\\\"', 'é\t"\\'],
    [
      '"${attr.cpu.arch} ${NOMAD_PORT_http} ${env["HOME"]} ${meta.rack}"',
      '${attr.cpu.arch} ${NOMAD_PORT_http} ${env["HOME"]} ${meta.rack}',
    ],
    ['node.class', '${node.class}'],
    ['"%{ if 1 > 2 }yes%{ else }no%{ endif }"', 'no'],
    ['"%{ for x in [1, 2] ~}\n ${x},%{ endfor }"', null],
    ['<<EOT\na\n  b ${1 + 1}\nEOT\n', 'a\n  b 2\n'],
    ['<<-EOT\n    a\n      b\n\n    c\n  EOT\n', 'a\n  b\n\nc\n'],
    ['<<EOT\n%{ for x in ["a", "b"] ~}\n- ${x}\n%{ endfor ~}\nend\nEOT\n', '- a\n- b\nend\n'],
    ['"a ${~ "b" ~} c"', 'abc'],
  ];
  for (const [expression, expected] of cases) {
    const { value, problems } = evaluated(expression);
    if (expected === null) t.not(problems.length, 0, expression);
    else t.same({ value, problems }, { value: expected, problems: [] }, expression);
  }
});

t.test('functions', async (t) => {
  const cases: readonly (readonly [expression: string, value: unknown])[] = [
    ['abs(-5.5)', 5.5], ['ceil(1.2)', 2], ['floor(-1.2)', -2], ['signum(-3)', -1], ['max(1, 12.5, 9)', 12.5], ['min([3, 1, 2]...)', 1],
    ['pow(3, 2)', 9], ['log(16, 2)', 4], ['"${log(50, 10)}!"', '1.6989700043360185!'], ['parseint("FF", 16)', 255], ['parseint("-101", 2)', -5], ['sum([1, 2, 3.5])', 6.5],
    ['range(3)', [0, 1, 2]], ['range(1, 8, 2)', [1, 3, 5, 7]], ['range(4, 1)', [4, 3, 2]],
    ['chomp("a\\r\\n\\n")', 'a'], ['indent(2, "a\\nb")', 'a\n  b'], ['title("hello wide world")', 'Hello Wide World'], ['strrev("añb")', 'bña'], ['strlen("日本")', 2],
    ['replace("a.b.c", ".", "-")', 'a-b-c'], ['replace("a/l/", "/l/", "L")', 'aL'], ['title("it\'s o-k_x")', 'It\'S O-K_x'], ['upper("straße")', 'STRAßE'], ['regex_replace("a1b22", "[0-9]+", "<$0>")', 'a<1>b<22>'],
    ['regex("[a-z]+", "53453453.345345aaabbbccc23454")', 'aaabbbccc'], ['regex("(\\\\d+)-(\\\\d+)", "10-20")', ['10', '20']],
    ['regex("(?P<scheme>[^:]+)://(?P<host>.+)", "http://x")', { scheme: 'http', host: 'x' }], ['regexall("[a-z]+", "1a2bb")', ['a', 'bb']],
    ['format("%s has %d of %5.2f %q %v %t %%", "a", 3, 1.5, "q", [1], true)', 'a has 3 of  1.50 "q" [1] true %'],
    ['format("%05d|%-5s|%x|%X|%b|%o|%e", 42, "a", 255, "ff" == "f" ? 1 : 254, 5, 8, 1500)', '00042|a    |ff|FE|101|10|1.500000e+03'],
    ['format("%v %v %v %g %+d %#x %05s %t", 100000, 1234567, 0.00001, 1e21, 5, 255, "ab", "true")', '100000 1.234567e+06 1e-05 1e+21 +5 0xff 000ab true'], ['format("%[2]s %[1]s", "a", "b")', 'b a'],
    ['formatlist("%s-%d", ["a", "b"], [1, 2])', ['a-1', 'b-2']], ['formatlist("%s!", "x")', ['x!']],
    ['startswith("abc", "ab")', true], ['endswith("abc", "bc")', true], ['strcontains("abc", "b")', true],
    ['join("-", ["a"], ["b"])', 'a-b'], ['split(",", "a,b")', ['a', 'b']], ['sort(["b", "a", "C"])', ['C', 'a', 'b']], ['reverse([1, 2])', [2, 1]],
    ['chunklist(["a", "b", "c"], 2)', [['a', 'b'], ['c']]], ['coalesce(null, "", "x")', ''], ['coalescelist([], ["a"])', ['a']], ['compact(["a", "", "b"])', ['a', 'b']],
    ['concat(["a"], ["b", 1])', ['a', 'b', 1]], ['contains(["a", "b"], "b")', true], ['contains([1, 2], "2")', false], ['distinct(["a", "b", "a"])', ['a', 'b']], ['element(["a", "b"], 3)', 'b'],
    ['flatten([["a"], [], ["b", ["c"]]])', ['a', 'b', 'c']], ['index(["a", "b"], "b")', 1], ['keys({ b = 1, a = 2 })', ['a', 'b']], ['values({ b = 1, a = 2 })', [2, 1]],
    ['length([1, 2])', 2], ['length(tomap({ a = 1 }))', 1], ['index({ a = 1 } == null ? [] : ["x", "y"], 1)', 'y'], ['lookup({ a = 1 }, "b", 9)', 9], ['merge({ a = 1 }, { b = 2 }, { a = 3 })', { a: 3, b: 2 }], ['slice(["a", "b", "c"], 1, 3)', ['b', 'c']],
    ['setintersection(["a", "b"], ["b", "c"])', ['b']], ['setunion(["b"], ["a"])', ['a', 'b']], ['setsubtract(["a", "b"], ["a"])', ['b']],
    ['setproduct(["a", "b"], ["x", "y"])', [['a', 'x'], ['a', 'y'], ['b', 'x'], ['b', 'y']]], ['zipmap(["a", "b"], [1, 2])', { a: 1, b: 2 }],
    ['toset(["b", "a", "b"])', ['a', 'b']], ['tolist([1, "a"])', ['1', 'a']], ['tomap({ a = 1, b = "x" })', { a: '1', b: 'x' }], ['convert(["3", 4], list(number))', [3, 4]],
    ['alltrue([true, "true"])', true], ['anytrue([])', false], ['one(["a"])', 'a'],
    ['base64encode("hi ☃")', 'aGkg4piD'], ['base64decode("aGVsbG8=")', 'hello'], ['urlencode("a b&(c)!")', 'a+b%26%28c%29%21'],
    ['jsonencode({ b = [1, null], a = "<" })', '{"a":"\\u003c","b":[1,null]}'], ['jsondecode("{\\"a\\": [1.5]}").a[0]', 1.5], ['csvdecode("a,b\\n1,\\"x,y\\"\\n")', [{ a: '1', b: 'x,y' }]],
    ['yamlencode({ a = [{ b = 1 }], c = "x" })', '"a":\n- "b": 1\n"c": "x"\n'], ['yamldecode("a: [1, yes]\\nb: &x {c: d}\\ne: *x\\n")', { a: [1, true], b: { c: 'd' }, e: { c: 'd' } }],
    ['md5("hello")', '5d41402abc4b2a76b9719d911017c592'], ['sha1("hello")', 'aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d'],
    ['sha256("hello")', '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'], ['uuidv5("dns", "www.example.org")', '74738ff5-5367-5958-9aee-98fffdcd1876'], ['strlen(uuidv4())', 36],
    ['timestamp()', '2021-06-22T13:05:09Z'], ['timeadd("2021-12-31T23:59:59Z", "2s")', '2022-01-01T00:00:01Z'], ['formatdate("DD MMM YYYY hh:mm ZZZ", "2021-06-22T13:05:09-03:30")', '22 Jun 2021 13:05 -0330'],
    ['cidrhost("10.12.127.0/20", 16)', '10.12.112.16'], ['cidrhost("10.12.127.0/20", -2)', '10.12.127.254'], ['cidrhost("fd00:fd12:3456:7890:00a2::/72", 34)', 'fd00:fd12:3456:7890::22'],
    ['cidrnetmask("172.16.0.0/12")', '255.240.0.0'], ['cidrsubnet("172.16.0.0/12", 4, 2)', '172.18.0.0/16'], ['cidrsubnet("fd00:fd12:3456:7890::/56", 16, 162)', 'fd00:fd12:3456:7800:a200::/72'],
    ['cidrsubnets("10.1.0.0/16", 4, 4, 8, 4)', ['10.1.0.0/20', '10.1.16.0/20', '10.1.32.0/24', '10.1.48.0/20']],
    ['file("a/b.txt")', 'inner'], ['fileexists("no")', false], ['fileset(".", "**/*.txt")', ['a/b.txt']], ['basename("a/b.txt")', 'b.txt'], ['dirname("a/b.txt")', 'a'], ['abspath("x")', '/job/x'],
    ['templatefile("hello.tpl", { name = "you", ports = [1, 2] })', 'Hello you! 1 2\n'],
    ['try(jsondecode("{"), "no")', 'no'], ['can(parseint("zz", 10))', false], ['can(upper("x"))', true],
    ['regex("^\\\\$2a\\\\$04\\\\$", bcrypt("secret", 4))', '$2a$04$'],
  ]; // prettier-ignore
  for (const [expression, expected] of cases) t.same(evaluated(expression), { value: expected, problems: [] }, expression);
  const tested = new Set(cases.flatMap(([e]) => [...e.matchAll(/([a-z_0-9]+)\(/g)].map((m) => m[1]!)));
  const elsewhere = [
    'upper',
    'lower',
    'trim',
    'trimspace',
    'trimprefix',
    'trimsuffix',
    'substr',
    'sha512',
    'rsadecrypt',
    'filebase64',
    'pathexpand',
    'tostring',
    'tonumber',
    'tobool',
  ];
  t.same(
    [...scope.functions.keys()].filter((name) => !tested.has(name) && !elsewhere.includes(name)),
    [],
    'every function is tried',
  );
});

t.test('what is wrong with an expression, and where', async (t) => {
  const cases: readonly (readonly [expression: string, problem: string])[] = [
    ['upper("a", "b")', ':1,13-14: Too many function arguments; Function "upper" expects only 1 argument(s).'],
    ['substr("a")', ':1,11-12: Not enough function arguments; Function "substr" expects 3 argument(s). Missing value for "offset".'],
    ['uper("a")', ':1,1-5: Call to unknown function; There is no function named "uper". Did you mean "upper"?'],
    ['1 + "a"', ':1,5-8: Invalid operand; Unsuitable value for right operand: a number is required.'],
    ['!5', ':1,2-3: Invalid operand; Unsuitable value for unary operand: bool required.'],
    ['[1, 2][5]', ':1,7-10: Invalid index; The given key does not identify an element in this collection value.'],
    ['{ a = 1 }.b', ':1,10-12: Unsupported attribute; This object does not have an attribute named "b".'],
    ['{ image = 1 }.imgae', ':1,14-20: Unsupported attribute; This object does not have an attribute named "imgae".'],
    ['"x${[1]}"', ':1,5-8: Invalid template interpolation value; Cannot include the given value in a string template: string required.'],
    ['parseint("zz", 10)', ':1,11-13: Invalid function argument; Invalid value for "number" parameter: cannot parse "zz" as a base 10 integer.'],
    ['jsondecode("[1")', ':1,1-12: Error in function call; Call to function "jsondecode" failed: EOF.'],
    ['true ? 1 : [2]', ':1,8-15: Inconsistent conditional result types; The true and false result expressions must have consistent types. The given expressions are number and tuple, respectively.'],
    ['file("/etc/passwd")', ':1,1-6: Error in function call; Call to function "file" failed: no file exists at /etc/passwd.'],
  ]; // prettier-ignore
  for (const [expression, problem] of cases) t.equal(evaluated(expression).problems[0], problem, expression);
});

t.test('functions refuse what they cannot do in the words that are known', async (t) => {
  const call = (name: string, why: string): string => `Error in function call; Call to function "${name}" failed: ${why}.`;
  const argument = (name: string, why: string): string =>
    `Invalid function argument; Invalid value for "${name}" parameter: ${why}.`;
  const cases: readonly (readonly [expression: string, problem: string])[] = [
    ['length("abc")', call('length', 'collection must be a list, a map or a tuple')],
    ['element([], 0)', call('element', 'cannot use element function with an empty list')],
    ['element(["a"], -1)', call('element', 'cannot use element function with a negative index')],
    ['element("a", 0)', call('element', 'cannot read elements from string')],
    ['index(["a"], 3)', call('index', 'key must be between 0 and 1 inclusive')],
    ['index(["a"], "b")', call('index', 'key for tuple must be number')],
    ['contains("abc", "a")', call('contains', 'argument must be list, tuple, or set')],
    ['coalesce(null, null)', call('coalesce', 'no non-null arguments')],
    ['coalescelist([], [])', call('coalescelist', 'no non-null arguments')],
    ['coalescelist("a")', call('coalescelist', 'coalescelist arguments must be lists or tuples')],
    ['concat(["a"], "b")', argument('seqs', 'all arguments must be lists or tuples; got string')],
    ['flatten("a")', call('flatten', 'can only flatten lists, sets and tuples')],
    ['keys("a")', argument('inputMap', 'must have map or object type')],
    ['values("a")', call('values', 'values() requires a map as the first argument')],
    ['lookup("a", "b", "c")', argument('inputMap', 'lookup() requires a map as the first argument')],
    ['merge({ a = 1 }, "b")', call('merge', 'arguments must be maps or objects, got "string"')],
    ['slice(["a"], 0, 2)', argument('end_index', 'end index must not be greater than the length of the list')],
    ['slice(["a", "b"], 2, 1)', argument('start_index', 'start index must not be greater than end index')],
    ['slice("abc", 0, 1)', argument('list', 'must be a list or tuple value')],
    ['setproduct(["a"])', call('setproduct', 'at least two arguments are required')],
    ['setproduct(["a"], "b")', argument('sets', 'a set or a list is required')],
    ['zipmap(["a"], [1, 2])', call('zipmap', 'number of keys (1) does not match number of values (2)')],
    ['zipmap(["a"], "b")', call('zipmap', 'values argument must be a list or tuple value')],
    ['chunklist(["a"], -1)', call('chunklist', 'the size argument must be positive')],
    ['range()', call('range', 'must have one, two, or three arguments')],
    ['range(1, 3, 0)', argument('params', 'step must not be zero')],
    ['range(1, 3, -1)', argument('params', 'end must be less than start when step is negative')],
    ['range(2000)', call('range', 'more than 1024 values were generated; either decrease the difference between start and end or use a smaller step')],
    ['max()', call('max', 'must pass at least one number')],
    ['parseint("12", 1)', argument('base', 'base must be a whole number between 2 and 62 inclusive')],
    ['parseint(12, 10)', argument('number', 'first argument must be a string, not number')],
    ['signum(1.5)', call('signum', 'value must be a whole number, between -9223372036854775808 and 9223372036854775807')],
    ['join(",")', call('join', 'at least one list is required')],
    ['join(",", ["a", null])', argument('lists', 'element 1 is null; cannot concatenate null values')],
    ['sort(["a", null])', call('sort', 'given list element 1 is null; a null string cannot be sorted')],
    ['format("%d", "x")', call('format', 'unsupported value for "%d" at 0: a number is required')],
    ['format("a %d", 1.5)', call('format', 'unsupported value for "%d" at 2: an integer is required')],
    ['format("%s")', call('format', 'not enough arguments for "%s" at 0: need index 1 but have 0 total')],
    ['format("%s", "a", "b")', argument('args', 'too many arguments; only 1 used by format string')],
    ['format("x", "a")', argument('args', 'too many arguments; no verbs in format string')],
    ['format("%y", "a")', call('format', 'unsupported format verb \'y\' in "%y" at offset 0')],
    ['format("%s", null)', call('format', 'unsupported value for "%s" at 0: null value cannot be formatted')],
    ['format("%")', call('format', 'invalid format string starting at offset 1')],
    ['formatlist("%s %s", ["a"], ["b", "c"])', argument('args', 'argument 2 has length 2, which is inconsistent with argument 1 of length 1')],
    ['formatlist("%d", ["a"])', call('formatlist', 'error on format iteration 0: unsupported value for "%d" at 0: a number is required')],
    ['regex_replace("a", "(", "b")', call('regex_replace', 'error parsing regexp: missing closing ): `(`')],
    ['regex_replace("a", "*", "b")', call('regex_replace', 'error parsing regexp: missing argument to repetition operator: `*`')],
    ['regex_replace("a", "a**", "b")', call('regex_replace', 'error parsing regexp: invalid nested repetition operator: `**`')],
    ['regex_replace("a", "[a", "b")', call('regex_replace', 'error parsing regexp: missing closing ]: `[a`')],
    ['regex_replace("a", "a)", "b")', call('regex_replace', 'error parsing regexp: unexpected ): `a)`')],
    ['regex_replace("a", "(?=a)", "b")', call('regex_replace', 'error parsing regexp: invalid or unsupported Perl syntax: `(?=`')],
    ['regex_replace("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "(a+)+$", "b")', call('regex_replace', 'the regular expression takes too long on this text')],
    ['csvdecode("")', call('csvdecode', 'missing header line')],
    ['csvdecode("a,b\\n1\\n")', call('csvdecode', 'CSV parse error on line 2: wrong number of fields')],
    ['csvdecode("a,a\\n1,2\\n")', call('csvdecode', 'duplicate column name "a"')],
    ['base64decode("!!")', call('base64decode', "failed to decode base64 data '!!'")],
    ['timeadd("x", "1h")', call('timeadd', 'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"')],
    ['timeadd("2021-01-01T00:00:00Z", "1x")', call('timeadd', 'time: unknown unit "x" in duration "1x"')],
    ['formatdate("YYY", "2021-01-01T00:00:00Z")', argument('format', 'invalid date format verb "YYY": year must either be "YY" or "YYYY"')],
    ['formatdate("YYYY", "2021")', argument('time', 'not a valid RFC3339 timestamp: end of string where "-" is expected')],
    ['formatdate("YYYY", "2021-13-01T00:00:00Z")', argument('time', 'not a valid RFC3339 timestamp: month out of range')],
    ['formatdate("YYYY", "2021-01-01 00:00:00Z")', argument('time', "not a valid RFC3339 timestamp: missing required time introducer 'T'")],
    ['cidrhost("10.0.0.0", 1)', call('cidrhost', 'invalid CIDR expression: invalid CIDR address: 10.0.0.0')],
    ['cidrhost("10.0.0.0/30", 9)', call('cidrhost', 'prefix of 30 does not accommodate a host numbered 9')],
    ['cidrsubnet("10.0.0.0/30", 4, 0)', call('cidrsubnet', 'insufficient address space to extend prefix of 30 by 4')],
    ['cidrsubnet("10.0.0.0/8", 2, 5)', call('cidrsubnet', 'prefix extension of 2 does not accommodate a subnet numbered 5')],
    ['cidrsubnets("10.0.0.0/30", 0)', argument('newbits', 'must extend prefix by at least one bit')],
    ['cidrsubnets("10.0.0.0/30", 4)', argument('newbits', 'would extend prefix to 34 bits, which is too long for an IPv4 address')],
    ['uuidv5("nope", "x")', call('uuidv5', "uuidv5() doesn't support namespace nope (invalid UUID length: 4)")],
    ['bcrypt("x", 40)', call('bcrypt', 'error occured generating password crypto/bcrypt: cost 40 is outside allowed range (4,31)')],
    ['try()', call('try', 'at least one argument is required')],
  ]; // prettier-ignore
  for (const [expression, problem] of cases)
    t.equal(evaluated(expression).problems[0]?.replace(/^:[\d,-]+: /, ''), problem, expression);
});

const BROKEN = [
  'a = [1 2]\nb = \nc = { x = 1 y = 2 }\n',
  'job "x" {\n  type = \'batch\'\n  count : 3\n}\n',
  'a = "unterminated\nb = "${x"\n',
  'job "x" { a = 1, b = 2 }\n',
  'x "l" = 1\n"k" = 2\ny\n{\n}\n',
  'a = <<EOT\nnever\n',
  'a = (1\nb = f(1 2)\nc = a ? b\nd = x.\n',
  'a = 1 & 2\nb = 2 ** 3\nc = `x`\nd = 1;\n',
  'locals {\n  a = 1\n',
  'a = "%{ if x }y"\nb = "%{ endif }"\nc = "%{ nope }"\n',
  'a = 1\na = 2\n',
  'a = [for x in y x]\nb = {for x in y : x}\n',
  'a = "\\q"\n',
];

t.test('mistakes are found where the reference parser finds the first of them', async (t) => {
  const { parseToObject } = require('hcl2-json-parser') as { parseToObject(text: string): Promise<unknown> };
  for (const text of BROKEN) {
    const message = await parseToObject(text).then(
      () => '',
      (err: unknown) => (err instanceof Error ? err.message : String(err)),
    );
    const reference = /^parse config: \[(:[\d,-]+)/.exec(message)?.[1];
    const own = parseHclBody(new Source(text, '')).diagnostics.list.map(formatDiagnosticLine);
    t.equal(/^:[\d,-]+/.exec(own[0] ?? '')?.[0], reference, JSON.stringify(text));
  }
});

t.test('all mistakes of a file are told at once, each with its line', async (t) => {
  const { diagnostics } = parseHclBody(new Source(BROKEN[0]!, 'job.nomad'));
  t.equal(
    formatDiagnostics(diagnostics.list),
    `job.nomad:1,8-9: Missing item separator; Expected a comma to mark the beginning of the next item.
  1 | a = [1 2]
    |        ^
job.nomad:2,5-3,1: Invalid expression; Expected the start of an expression, but found an invalid expression token.
  2 | b = 
    |     ^
job.nomad:3,13-14: Missing attribute separator; Expected a newline or comma to mark the beginning of the next attribute.
  3 | c = { x = 1 y = 2 }
    |             ^`,
  );
});

t.test('one mistake is told once, not again for all that follows from it', async (t) => {
  const told = (text: string): string[] => {
    const result = parseJob({ text, filename: 'x.nomad' });
    return result.diagnostics.filter((d) => d.consequence !== true).map((d) => formatDiagnosticLine(d).split(';')[0]!);
  };
  const invalid = 'Invalid block definition';
  t.same(told('job "x"\n{\n  type = "batch"\n}\n'), [`x.nomad:1,8-2,1: ${invalid}`], 'a brace on the next line');
  t.same(told('job "x" = {\n  type = "batch"\n}\n'), [`x.nomad:1,9-10: ${invalid}`]);
  t.same(told('job "x"\n  type = "batch"\n  group "g" {\n  }\n}\n'), [`x.nomad:1,8-2,1: ${invalid}`], 'a brace left out');
  t.same(
    told('job "x" {\n  type = "${upper("a")"\n  priority = 3\n}\n').length,
    2,
    'an interpolation left open ends with its line',
  );
  t.same(told('job "x" {\n  type = "a"\n}}\ngroup "y" {\n}\n'), ['x.nomad:3,2-3: Missing newline after block definition']);
  const unclosed = 'job "x" {\n  group "g" {\n    task "t" {\n      config {\n        a = 1\n    }\n  }\n}\n';
  const { diagnostics } = parseJob({ text: unclosed, filename: 'x.nomad' });
  t.match(
    formatDiagnostics(diagnostics),
    /^x\.nomad:9,1-1: [^\n]*\n[^\n]*\n[^\n]*\n +\| The closing brace of the config block in line 4 /,
  );
  const stray = unclosed.replace('a = 1', 'a = 1\n        }\n      }');
  t.match(
    formatDiagnostics(parseJob({ text: stray, filename: 'x.nomad' }).diagnostics),
    /The brace in line 6, which closes the config block of line 4/,
  );
  const controls = parseJob({ text: 'job "x\u001b[2J" {\n  foo = 1\n  type = ["\u0007\u009b"]\n}\n', filename: 'x\u001b.nomad' });
  t.notMatch(formatDiagnostics(controls.diagnostics), /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/, 'nothing that moves a cursor');
});

t.test('bodies mean what the reference parser says they mean', async (t) => {
  const { parseToObject } = require('hcl2-parser') as { parseToObject(text: string): [unknown, unknown] };
  for (const text of [
    'a = 1\nb = ["x", true, null, -2.5]\nc = { k = "v", "q r" = { z = [] } }\n',
    'blk "l1" "l2" {\n  x = <<-EOT\n    a\n      b\n    EOT\n}\nplain {\n  z = 1\n}\n',
    '# comment\na = "t\\tq\\"" // more\n/* block\ncomment */ b = "é\\u00e9"\n',
    'job "x" {\n  datacenters = ["dc1"]\n  group "g" {\n    count = 3\n    task "t" {\n      config {\n        args = ["-c", "echo"]\n      }\n    }\n  }\n}\n',
  ]) {
    const parsed = parseHclBody(new Source(text, ''));
    t.same(parsed.diagnostics.list, [], text);
    t.same(asObject(parsed.body), parseToObject(text)[0], text);
  }
});

t.test('what a change means for running tasks', async (t) => {
  const read = (env: string, count: number, data: string) => {
    const text = `job "x" {\n group "g" {\n  count = ${count}\n  task "t" {\n   driver = "docker"\n   kill_timeout = "${count}s"\n   env {\n    A = "${env}"\n   }\n   template {\n    destination = "a"\n    data = <<E\n${data}E\n   }\n  }\n }\n}\n`;
    const result = parseJob({ text, filename: 'x.nomad' });
    if (!result.ok) throw new Error(formatDiagnostics(result.diagnostics));
    return result.job;
  };
  const text = formatImpacts(impacts(diffJobs(read('1', 1, 'one\ntwo\n'), read('2', 3, 'one\nTWO\n'), { complete: true })));
  t.match(text, /^Impact: \d of \d changes restart tasks\.\n/);
  t.match(text, /creates +group "g" › Count: "1" → "3" \(more allocations are wanted\)/);
  t.match(text, /no restart +group "g" › task "t" › KillTimeout: .*stopped\)/);
  t.match(text, /restarts +group "g" › task "t" › Env\[A\]: "1" → "2" \(a running process keeps its environment\)/);
  t.match(text, /EmbeddedTmpl \(templates are rendered for a new allocation\)\n +one\n +- two\n +\+ TWO/);
  t.equal(
    formatImpacts(impacts(diffJobs(read('1', 1, 'x\n'), read('1', 1, 'x\n'), { complete: true }))),
    'Impact: nothing that runs is touched.',
  );
});

t.test('a second opinion', async (t) => {
  const ask = (text: string) => secondOpinion(new Source(text, 'x.hcl'));
  t.same(await ask('a = 1\n'), { accepts: true });
  t.same(
    await ask('a "x" {\n  b = 1\n}\na "x" "y" {\n  b = 1\n}\n'),
    { accepts: true },
    'what only its converter cannot do is no mistake',
  );
  t.match(await ask('a = \n'), { accepts: false, message: /^x\.hcl:1,5-2,1: Invalid expression/ });
});

t.test('optional attributes have defaults', (t) => {
  const file = (type: string): string =>
    `variable "o" {\n  type = ${type}\n  default = { a = "x", n = null }\n}\njob "x" {\n  meta {\n    o = jsonencode(var.o)\n  }\n}\n`;
  const ok = parseJob({
    text: file('object({ a = string, b = optional(number), c = optional(string, 5), n = optional(bool, true) })'),
    filename: 'x',
  });
  t.same(JSON.parse(ok.job?.spec.meta?.['o'] ?? ''), { a: 'x', b: null, c: '5', n: true });
  for (const [type, expected] of [
    ['object({ a = string, n = optional(number, "many") })', /not compatible with the attribute's type: a number is required/],
    ['object({ a = string, n = optional(string, var.x) })', /must be a constant/],
    ['object({ a = string, n = optional(string, "a", "b") })', /take a type, and what they are/],
  ] as const)
    t.match(
      parseJob({ text: file(type), filename: 'x' })
        .diagnostics.map(formatDiagnosticLine)
        .join(),
      expected,
      type,
    );
  t.end();
});

t.test('the older grammar', async (t) => {
  const old = `job "x" {
  datacenters = ["dc1"]
  meta = { a = "\${upper("x")}" }
  group = { g = { count = "2", task = { t = { driver = "raw_exec", config = { command = "a" } } } } }
}
`;
  const { job } = parseJob({ text: old, filename: 'x.nomad' }, { hcl1: true });
  t.match(job?.spec, {
    meta: { a: '\${upper("x")}' },
    groups: [{ name: 'g', count: 2, tasks: [{ name: 't', driver: 'raw_exec', config: { command: 'a' } }] }],
  });
  const quoted =
    '"job" "x" {\n  "meta" {\n    "a.b" = "1"\n    c     = "2"\n  }\n  datacenters = [\n    "dc1",\n    "dc2"\n  ]\n}\n';
  const names = parseJob({ text: quoted, filename: 'x.nomad' }, { hcl1: true });
  t.match(names.job?.spec, { meta: { 'a.b': '1', c: '2' }, datacenters: ['dc1', 'dc2'] }, 'names may be quoted');
  t.match(
    parseJob({ text: quoted, filename: 'x.nomad' }).diagnostics.map(formatDiagnosticLine)[0],
    /Argument names must not be quoted/,
  );
  const wrong = parseJob({ text: 'job "x" {\n  type = upper("x")\n}\n', filename: 'x.nomad' }, { hcl1: true });
  t.match(wrong.diagnostics.map(formatDiagnosticLine), [/^x\.nomad:2,10-20: Expression not allowed/]);
});

/** A body in the shape that the other parser has: blocks as lists, below their labels. */
function asObject(body: HclBody): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const attribute of body.attributes.values()) out[attribute.name] = plain(attribute.expression);
  for (const block of body.blocks) {
    let value: unknown = [asObject(block.body)];
    for (const label of [...block.labels].reverse()) value = { [label.value]: value };
    out[block.type] = value;
  }
  return out;
}

function plain(e: Expression): unknown {
  return toPlain(evaluate(e, scope, new Diagnostics()));
}

t.test('what the older grammar refuses, in its words', async (t) => {
  const told = (inner: string): string => {
    const text = `job "x" {\n${inner}\n}\n`;
    const result = parseJob({ text, filename: 'x.hcl' }, { hcl1: true });
    return result.diagnostics.map(formatDiagnosticLine).join('\n');
  };
  const group = (inner: string): string => `group "g" {\n task "t" {\n${inner}\n}\n}`;
  const cases: readonly (readonly [text: string, message: string])[] = [
    ['nope = 1', "error parsing 'job': 1 error occurred:\n\t* job: invalid key: nope\n"],
    [group('nope = 1'), "error parsing 'job': 1 error occurred:\n\t* group: 'g', task: 't', invalid key: nope\n"],
    ['group "g" {\n}\ngroup "g" {\n}', "error parsing 'job': group: group 'g' defined more than once"],
    [group('resources {\n}\nresources {\n}'), "error parsing 'job': group: 'g', task: 't', resources -> only one 'resource' block allowed per task"],
    [group('resources {\nnetwork {\n}\nnetwork {\n}\n}'), "error parsing 'job': group: 'g', task: 't', resources -> resource, only one 'network' resource allowed"],
    ['group "g" {\nnetwork {\nport "a-b" {}\n}\n}', "error parsing 'job': group: network, ports -> Port label does not conform to naming requirements ^[a-zA-Z0-9_]+$"],
    ['group "g" {\nscaling "x" {\n}\n}', "error parsing 'job': group: scaling -> task group scaling policy should not have a name"],
    ['group "g" {\nscaling {\nmax = 1\ntype = "x"\n}\n}', 'error parsing \'job\': group: scaling -> task group scaling policy had invalid type: "x"'],
    ['task "t" {\nscaling "disk" {\n}\n}', 'error parsing \'job\': task: \'t\', scaling[disk] -> scaling policy name must be "cpu" or "mem"'],
    ['task "t" {\nscaling {\n}\n}', "error parsing 'job': task: 't', scaling -> task scaling policy missing name"],
    [group('vault {\n}\nvault {\n}'), "error parsing 'job': group: 'g', task: 't', vault -> only one 'vault' block allowed per task"],
    ['update {\n}\nupdate {\n}', "error parsing 'job': update -> only one 'update' block allowed"],
  ]; // prettier-ignore
  for (const [text, message] of cases) t.equal(told(text), message, text);
  const merged = parseJob({ text: 'job "x" {\n meta {\n a = 1\n}\nmeta {\n b = 2\n}\n}\n', filename: 'x' }, { hcl1: true });
  t.match(merged, { ok: true, job: { spec: { meta: { a: '1', b: '2' } } } }, 'maps in several parts are one');
});

t.test('formatting', async (t) => {
  const formatted = (text: string): string => {
    const result = formatHclFile({ text, filename: 'x.hcl' });
    return result.ok ? result.text : formatDiagnostics(result.diagnostics);
  };
  const messy =
    '\n\njob   "x"{\n# why\n  type="batch"\n    datacenters  =["dc1",  "dc2" ]   // both\n count= 1+2   # three\n\n\n\n  group "g" {\n  task "t" {\n config {\n args = [\n"-c",\n  "x",\n ]\n    }\n    template {\n data = <<EOT\n  keep   this\nEOT\n  }\n }\n}\n}\n';
  const neat = `job "x" {
  # why
  type        = "batch"
  datacenters = ["dc1", "dc2"] // both
  count       = 1 + 2          # three

  group "g" {
    task "t" {
      config {
        args = [
          "-c",
          "x",
        ]
      }
      template {
        data = <<EOT
  keep   this
EOT
      }
    }
  }
}
`;
  t.equal(formatted(messy), neat);
  t.equal(formatted(neat), neat, 'and again');
  t.match(formatted('a = \n'), /Invalid expression/, 'a broken file is left alone');
});

t.test('what is mean to a parser', async (t) => {
  for (const text of [
    '('.repeat(100_000),
    `a = ${'['.repeat(50_000)}`,
    `a = ${'!'.repeat(50_000)}1`,
    'a {\n'.repeat(20_000),
    `a = ${'1 + '.repeat(20_000)}1`,
    `a = "${'${"'.repeat(5_000)}`,
    '\u0000\ud800 = \ufeff',
    '}'.repeat(10_000),
    `a = ${'x ? '.repeat(5_000)}`,
    `a = x${'[*]'.repeat(20_000)}`,
    `a = x${'[y]'.repeat(20_000)}`,
  ]) {
    const start = process.cpuUsage();
    const { diagnostics } = parseHclBody(new Source(text, 'x'));
    t.ok(diagnostics.list.length > 0, `${JSON.stringify(text.slice(0, 12))}… is refused`);
    t.ok(process.cpuUsage(start).user < 2e6, 'in time');
  }
});
