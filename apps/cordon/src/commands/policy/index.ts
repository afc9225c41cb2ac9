export { activate, history, rollback, sign } from './bundle.ts';
export { check } from './check.ts';
export { diff, replay } from './diff.ts';
export { explain } from './explain.ts';
export { shadow } from './shadow.ts';
export { show } from './show.ts';
export { test } from './test.ts';
export { trust } from './trust.ts';
