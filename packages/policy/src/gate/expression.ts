import type { PolicyJson } from '../engine/answer.ts';
import { limits } from '../limits.ts';
import type { ProblemCode } from './problem.ts';

type Expression = Readonly<Record<string, unknown>>;
type Report = (code: ProblemCode, message: string) => void;

/**
 * Where a value stands: in `positive` places more truth makes the clause true, in `negative` ones false;
 * in `mixed` ones nobody can tell.
 */
type Polarity = 'positive' | 'negative' | 'mixed';

/** How a part stands to the whole. */
type Sign = 'same' | 'flip' | 'mixed';
type Shape = readonly (readonly [part: string, sign: Sign])[];
const both = (sign: Sign): Shape => [
  ['left', sign],
  ['right', sign],
];
const left: Shape = [['left', 'mixed']];

/** Every operator that is allowed, with its parts; whatever is not here is refused. */
const operators: Readonly<Record<string, Shape>> = {
  Value: [],
  Var: [],
  '!': [['arg', 'flip']],
  '&&': both('same'),
  '||': both('same'),
  'if-then-else': [
    ['if', 'mixed'],
    ['then', 'same'],
    ['else', 'same'],
  ],
  '==': both('mixed'),
  '!=': both('mixed'),
  in: both('mixed'),
  '<': both('mixed'),
  '<=': both('mixed'),
  '>': both('mixed'),
  '>=': both('mixed'),
  contains: both('mixed'),
  containsAll: both('mixed'),
  containsAny: both('mixed'),
  isEmpty: [['arg', 'mixed']],
  getTag: left,
  hasTag: left,
  '.': left,
  like: left,
  is: [...left, ['in', 'mixed']],
};
const arithmetic = new Set(['+', '-', '*', 'neg']);
const sets = new Set(['contains', 'containsAll', 'containsAny']);

/**
 * The part of Cedar in which a policy cannot fail at run time and a missing value cannot help: Cedar skips a policy
 * that fails, also a forbid, and an absent tag or check is simply false. Type checking is Cedar's own work.
 */
export function checkExpressions(policy: PolicyJson, checks: ReadonlySet<string>, report: Report): void {
  for (const clause of policy.conditions) {
    const walk = new Walk(policy.effect, clause.kind, checks, report);
    walk.visit(clause.body as Expression, 'positive', 0);
  }
}

class Walk {
  readonly #effect: 'permit' | 'forbid';
  readonly #kind: 'when' | 'unless';
  readonly #checks: ReadonlySet<string>;
  readonly #report: Report;

  constructor(effect: 'permit' | 'forbid', kind: 'when' | 'unless', checks: ReadonlySet<string>, report: Report) {
    this.#effect = effect;
    this.#kind = kind;
    this.#checks = checks;
    this.#report = report;
  }

  visit(expression: Expression, polarity: Polarity, depth: number): void {
    const [operator = '', body] = Object.entries(expression)[0] ?? [];
    if (depth > limits.expressionDepthMax) {
      this.#report('too-deep', 'the expression is nested too deeply');
      return;
    }
    if (operator === 'Set' || operator === 'Record') {
      for (const part of Object.values(body as object) as Expression[]) this.visit(part, 'mixed', depth + 1);
      return;
    }
    const parts = body as Readonly<Record<string, Expression>>;
    const shape = Object.hasOwn(operators, operator) ? operators[operator] : undefined;
    if (shape === undefined) {
      this.#refuse(operator);
      return;
    }
    if (this.#special(operator, expression, parts, polarity)) return;
    for (const [name, sign] of shape) {
      const part = parts[name];
      if (part !== undefined) this.visit(part, turn(polarity, sign), depth + 1);
    }
  }

  #refuse(operator: string): void {
    if (arithmetic.has(operator)) {
      this.#report('arithmetic', `${operator} may overflow, and then Cedar skips the policy`);
    } else if (operator === 'has') {
      this.#report('optional-field', 'every field is required, so `has` is always true or a mistake');
    } else if (operator === 'Slot') {
      this.#report('template', 'templates are not used');
    } else {
      this.#report('extension-type', `${operator}: decimal, ip, datetime and the like may fail at run time`);
    }
  }

  /** Tags and checks, which may be absent. True: all of it is judged. */
  #special(
    operator: string,
    expression: Expression,
    parts: Readonly<Record<string, Expression>>,
    polarity: Polarity,
  ): boolean {
    if (operator === 'hasTag') this.#absence('hasTag', polarity);
    if (operator === 'hasTag' || operator === 'getTag') this.#tagKey(parts['right']);
    if (sets.has(operator) && parts['left'] !== undefined && isChecks(parts['left'])) {
      this.#absence(`checks.${operator}`, polarity);
      this.#checkNames(parts['right']);
      return true;
    }
    if (isChecks(expression)) this.#report('not-literal', 'context.checks is only asked with contains("NAME")');
    return false;
  }

  #checkNames(expression: Expression | undefined): void {
    const names = expression === undefined ? null : literals(expression);
    if (names === null) this.#report('not-literal', 'the name of a check is a literal');
    for (const name of names ?? []) {
      if (!this.#checks.has(name)) this.#report('check-unknown', `no check is called ${JSON.stringify(name)}`);
    }
  }

  #tagKey(expression: Expression | undefined): void {
    const key = expression?.['Value'];
    if (typeof key !== 'string' || !/^\/[^"\\]*$/.test(key)) {
      this.#report('not-literal', 'the key of a tag is a literal pointer such as "/to/*"');
    }
  }

  /** Absence makes it false; that must neither switch a forbid off nor a permit on. */
  #absence(what: string, polarity: Polarity): void {
    if (this.#effect === 'forbid' && this.#kind === 'when') {
      this.#report('absence-allows', `${what} in \`forbid … when\`: absence would switch the rule off; use \`unless\``);
      return;
    }
    const safe: Polarity = this.#effect === 'permit' && this.#kind === 'unless' ? 'negative' : 'positive';
    if (polarity !== safe) this.#report('absence-allows', `${what} stands where an absent value would allow`);
  }
}

function turn(polarity: Polarity, sign: Sign): Polarity {
  if (sign === 'same') return polarity;
  if (sign === 'mixed' || polarity === 'mixed') return 'mixed';
  return polarity === 'positive' ? 'negative' : 'positive';
}

function isChecks(expression: Expression): boolean {
  const access = expression['.'] as { readonly left?: Expression; readonly attr?: unknown } | undefined;
  return access?.attr === 'checks' && access.left?.['Var'] === 'context';
}

/** The strings of a literal, or of a set of literals. */
function literals(expression: Expression): readonly string[] | null {
  const value = expression['Value'];
  if (typeof value === 'string') return [value];
  const members = expression['Set'];
  if (!Array.isArray(members)) return null;
  const found = (members as readonly Expression[]).map((member) => member['Value']);
  return found.every((each) => typeof each === 'string') ? found : null;
}
