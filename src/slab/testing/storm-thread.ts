import { parentPort, workerData } from 'node:worker_threads'
import { stormHart } from './allocator-storm.js'

parentPort!.postMessage(stormHart(workerData))
