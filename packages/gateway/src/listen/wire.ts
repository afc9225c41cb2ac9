/** The runtime's types of what an agent's socket carries; the code that opens and reads sockets stays in this folder. */
export type { IncomingMessage, ServerResponse } from 'node:http';
export type { Socket } from 'node:net';
