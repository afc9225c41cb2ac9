/** Waits for something outside to become true; a wait that does not end is a failure that says for what. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, limitMs: number): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${limitMs / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
