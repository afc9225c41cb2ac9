// The command line starts for every command, so it is one file; everything else runs as tsc wrote it.
import { build } from 'esbuild';

/**
 * Node's own modules, taken without `import`: an import reads every member of the module, and members such as
 * `http.WebSocket` and `fs.ReadStream` load what no command uses; together that is half of the start.
 */
const builtins = {
  name: 'builtins',
  setup: (program) => {
    program.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: 'builtin' }));
    program.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})`,
    }));
  },
};

await build({
  entryPoints: { cordon: 'apps/cordon/dist/start.js', program: 'apps/cordon/dist/main.js' },
  outdir: 'apps/cordon/dist',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  chunkNames: 'chunk-[hash]',
  platform: 'node',
  target: 'node24',
  format: 'esm',
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
  plugins: [builtins],
});
