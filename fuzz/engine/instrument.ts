// Loaded with `--import`, before anything else: counts how often each block of our own source ran. Only `packages/` is
// counted; the text keeps its lines, so that stack traces stay true.
import { hash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire, registerHooks, stripTypeScriptTypes } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type TypeScript from 'typescript';
import { countersMax, instrumentation } from './counters.ts';

const root = path.resolve(import.meta.dirname, '../..');
const product = path.join(root, 'packages') + path.sep;
const cache = path.join(root, '.cache/fuzz/instrumented');
const self = readFileSync(import.meta.filename);
const { state } = instrumentation;

interface Instrumented {
  readonly source: string;
  readonly blocks: number;
  readonly literals: readonly string[];
}

registerHooks({
  load(url, context, next) {
    const file = url.startsWith('file:') ? fileURLToPath(url) : '';
    if (!file.startsWith(product) || !/\/src\/.*\.ts$/.test(file)) return next(url, context);
    const { source, blocks, literals } = cached(readFileSync(file, 'utf8'));
    const first = state.used;
    if (first + blocks > countersMax) throw new Error('fuzz: too many blocks to count');
    state.used += blocks;
    state.files.push({ file: path.relative(root, file), first, blocks });
    for (const literal of literals) state.literals.add(literal);
    const prologue = `const __count = globalThis[Symbol.for('cordon.fuzz')].counters.subarray(${first}, ${first + blocks}); `;
    return { format: 'module', source: prologue + source, shortCircuit: true };
  },
});

/** Reading a file with the compiler is slow, so what came of it is kept by content. */
function cached(text: string): Instrumented {
  const file = path.join(cache, `${hash('sha256', Buffer.concat([self, Buffer.from(text)]))}.json`);
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Instrumented;
  } catch {
    const made = instrument(text);
    mkdirSync(cache, { recursive: true });
    writeFileSync(`${file}.${process.pid}`, JSON.stringify(made));
    renameSync(`${file}.${process.pid}`, file);
    return made;
  }
}

function instrument(text: string): Instrumented {
  const ts = createRequire(import.meta.url)('typescript') as typeof TypeScript;
  const parsed = ts.createSourceFile('source.ts', text, ts.ScriptTarget.ESNext, true);
  const inserts: { at: number; text: string }[] = [];
  const literals = new Set<string>();
  let blocks = 0;
  const count = (): string => `__count[${blocks++}]++`;
  const insert = (at: number, what: string): void => void inserts.push({ at, text: what });
  const statement = (node: TypeScript.Statement | undefined): void => {
    if (node === undefined || ts.isBlock(node)) return;
    insert(node.getStart(), `{ ${count()}; `);
    insert(node.getEnd(), ' }');
  };
  const expression = (node: TypeScript.Expression): void => {
    insert(node.getStart(), `(${count()}, `);
    insert(node.getEnd(), ')');
  };
  const visit = (node: TypeScript.Node): void => {
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return;
    if (ts.isBlock(node)) insert(node.getStart() + 1, ` ${count()};`);
    else if (ts.isCaseOrDefaultClause(node)) insert(caseColon(node), ` ${count()};`);
    else if (ts.isIfStatement(node)) {
      statement(node.thenStatement);
      if (node.elseStatement !== undefined && !ts.isIfStatement(node.elseStatement)) statement(node.elseStatement);
    } else if (ts.isIterationStatement(node, false)) statement(node.statement);
    else if (ts.isConditionalExpression(node)) {
      expression(node.whenTrue);
      expression(node.whenFalse);
    } else if (ts.isArrowFunction(node) && !ts.isBlock(node.body)) expression(node.body);
    else if (ts.isBinaryExpression(node) && isShortCircuit(node.operatorToken.kind)) expression(node.right);
    else if (ts.isStringLiteral(node) && node.text.length > 1 && node.text.length <= 24 && !node.text.includes(' ')) {
      if (!ts.isImportDeclaration(node.parent) && !ts.isExportDeclaration(node.parent)) literals.add(node.text);
    }
    ts.forEachChild(node, visit);
  };
  const isShortCircuit = (kind: TypeScript.SyntaxKind): boolean =>
    kind === ts.SyntaxKind.AmpersandAmpersandToken ||
    kind === ts.SyntaxKind.BarBarToken ||
    kind === ts.SyntaxKind.QuestionQuestionToken;
  const caseColon = (node: TypeScript.CaseOrDefaultClause): number =>
    (node.getChildren().find((child) => child.kind === ts.SyntaxKind.ColonToken) ?? node).getEnd();
  visit(parsed);
  return { source: stripTypeScriptTypes(insertAll(text, inserts)), blocks, literals: [...literals] };
}

/** At one place: what closes an inner expression stands before what closes the one around it, as they were found last first. */
function insertAll(text: string, inserts: readonly { at: number; text: string }[]): string {
  const opening = (one: string): boolean => !/^ ?[)}]/.test(one);
  const numbered = inserts.map((one, order) => ({ ...one, order }));
  numbered.sort((a, b) => {
    if (a.at !== b.at) return a.at - b.at;
    if (opening(a.text) !== opening(b.text)) return opening(a.text) ? 1 : -1;
    return opening(a.text) ? a.order - b.order : b.order - a.order;
  });
  let made = '';
  let from = 0;
  for (const one of numbered) {
    made += text.slice(from, one.at) + one.text;
    from = one.at;
  }
  return made + text.slice(from);
}
