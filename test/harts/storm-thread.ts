import { parentPort, workerData } from 'node:worker_threads'
import type { StormData } from './storm.js'
import { StormHart } from './storm-hart.js'

parentPort!.postMessage(new StormHart(workerData as StormData).run())
