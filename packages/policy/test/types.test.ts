import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

describe('the types', () => {
  it('let no effect happen without a permit, and no permit without a recorded allow', () => {
    const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
    const read = ts.readConfigFile(at('../../../tsconfig.tests.json'), ts.sys.readFile);
    const { options } = ts.parseJsonConfigFileContent(read.config, ts.sys, at('../../..'));
    const file = at('support/effects.ts');
    const program = ts.createProgram([file], { ...options, noEmit: true, incremental: false });
    const source = program.getSourceFile(file);
    // An expectation that no longer fails is itself a diagnostic, so an empty list means that each one holds.
    const found = [...program.getSemanticDiagnostics(source), ...program.getSyntacticDiagnostics(source)];
    expect(found.map((each) => ts.flattenDiagnosticMessageText(each.messageText, '\n'))).toEqual([]);
    expect(source?.text.match(/@ts-expect-error/g)?.length).toBe(13);
  }, 60_000);
});
