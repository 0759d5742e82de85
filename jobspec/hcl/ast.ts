import type { Range } from './source.ts';
import type { Value } from './value.ts';

/** A file, or what stands between the braces of a block. Attributes and blocks keep the order in which they were written. */
export interface Body {
  readonly attributes: ReadonlyMap<string, Attribute>;
  readonly blocks: readonly Block[];
  /** Everything between the braces, including them. */
  readonly range: Range;
}

export interface Attribute {
  readonly name: string;
  readonly nameRange: Range;
  readonly expression: Expression;
  readonly range: Range;
}

export interface Block {
  readonly type: string;
  readonly typeRange: Range;
  readonly labels: readonly Label[];
  readonly body: Body;
  /** Type and labels. */
  readonly headRange: Range;
}

export interface Label {
  readonly value: string;
  readonly range: Range;
}

export type Step =
  | { readonly kind: 'attribute'; readonly name: string; readonly range: Range }
  | { readonly kind: 'index'; readonly key: Value; readonly range: Range };

export type BinaryOperator = '||' | '&&' | '==' | '!=' | '<' | '<=' | '>' | '>=' | '+' | '-' | '*' | '/' | '%';

export type Expression =
  | { readonly kind: 'literal'; readonly value: Value; readonly range: Range }
  /** A quoted string or heredoc; literal parts are already unescaped. */
  | { readonly kind: 'template'; readonly parts: readonly Expression[]; readonly range: Range }
  /** `"${x}"` and nothing else: has the type of x. */
  | { readonly kind: 'wrap'; readonly inner: Expression; readonly range: Range }
  /** The body of a `%{for}` directive: its items are joined. */
  | { readonly kind: 'template-join'; readonly items: Expression; readonly range: Range }
  | {
      readonly kind: 'variable';
      readonly name: string;
      readonly nameRange: Range;
      readonly steps: readonly Step[];
      readonly range: Range;
    }
  | { readonly kind: 'traverse'; readonly from: Expression; readonly steps: readonly Step[]; readonly range: Range }
  | {
      readonly kind: 'index';
      readonly collection: Expression;
      readonly key: Expression;
      readonly openRange: Range;
      readonly range: Range;
    }
  | {
      readonly kind: 'splat';
      readonly from: Expression;
      readonly each: Expression;
      readonly markRange: Range;
      readonly range: Range;
    }
  /** Stands for the current element inside `splat.each`. */
  | { readonly kind: 'element'; readonly range: Range }
  | {
      readonly kind: 'call';
      readonly name: string;
      readonly nameRange: Range;
      readonly args: readonly Expression[];
      readonly expandLast: boolean;
      readonly openRange: Range;
      readonly closeRange: Range;
      readonly range: Range;
    }
  | {
      readonly kind: 'conditional';
      readonly condition: Expression;
      readonly yes: Expression;
      readonly no: Expression;
      readonly range: Range;
    }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
      readonly range: Range;
    }
  | {
      readonly kind: 'unary';
      readonly operator: '-' | '!';
      readonly operand: Expression;
      readonly symbolRange: Range;
      readonly range: Range;
    }
  | { readonly kind: 'parentheses'; readonly inner: Expression; readonly range: Range }
  | { readonly kind: 'tuple'; readonly items: readonly Expression[]; readonly openRange: Range; readonly range: Range }
  | { readonly kind: 'object'; readonly items: readonly ObjectItem[]; readonly openRange: Range; readonly range: Range }
  | {
      readonly kind: 'for';
      readonly keyName: string | undefined;
      readonly valueName: string;
      readonly collection: Expression;
      /** Present for `{for … : key => value}`. */
      readonly key: Expression | undefined;
      readonly value: Expression;
      readonly condition: Expression | undefined;
      readonly group: boolean;
      readonly openRange: Range;
      readonly range: Range;
    };

export interface ObjectItem {
  /** The key as an expression; a bare word counts as a string. */
  readonly key: Expression;
  readonly bareKey: boolean;
  readonly value: Expression;
}

/** Where an expression begins, narrowly: the opening bracket of a list, the name and parenthesis of a call, the text of a string. */
export function startRange(e: Expression): Range {
  switch (e.kind) {
    case 'template':
      return e.parts.length > 0 ? startRange(e.parts[0]!) : e.range;
    case 'call':
      return { source: e.range.source, start: e.nameRange.start, end: e.openRange.end };
    case 'conditional':
      return startRange(e.condition);
    case 'binary':
      return startRange(e.left);
    case 'unary':
      return e.symbolRange;
    case 'index':
    case 'tuple':
    case 'object':
    case 'for':
      return e.openRange;
    case 'splat':
      return e.markRange;
    case 'template-join':
      return startRange(e.items);
    case 'literal':
    case 'wrap':
    case 'variable':
    case 'traverse':
    case 'element':
    case 'parentheses':
      return e.range;
  }
}
