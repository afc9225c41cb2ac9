import { parentPort, workerData } from 'node:worker_threads';
import { type DecisionsOrder, runShare } from './decisions.ts';

parentPort?.postMessage(runShare(workerData as DecisionsOrder));
