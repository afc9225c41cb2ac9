import { spawnSync } from 'node:child_process';

/**
 * Node's raw mode leaves the terminal adding a carriage return to each line feed (ONLCR), which the terminal inside has
 * done already: `\n` would arrive as `\r\r\n`, and a program that draws with bare line feeds would be drawn wrong. There
 * is no call for it in Node. The end of raw mode restores what was before both steps; without `stty` lines only look
 * as they did.
 */
export function enterRawMode(terminal: NodeJS.ReadStream): void {
  terminal.setRawMode(true);
  spawnSync('stty', ['-onlcr'], { stdio: ['inherit', 'ignore', 'ignore'] });
}
