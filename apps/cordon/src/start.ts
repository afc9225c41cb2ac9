// What ./cordon runs: the compile cache must be on before the program itself is loaded, or every call compiles it anew.
import { enableCompileCache } from 'node:module';

enableCompileCache();
await import('./main.ts');
