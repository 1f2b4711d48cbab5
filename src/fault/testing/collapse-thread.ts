import { parentPort, workerData } from 'node:worker_threads'
import { mmAttach } from '../../mm.js'
import type { RawMemory } from '../../state/memory.js'
import { type StormSetting, storm } from './collapse-storm.js'

const { memory, setting } = workerData as { memory: RawMemory; setting: StormSetting }
const mm = mmAttach(memory, { hart: 1 })
parentPort!.postMessage('ready')
parentPort!.once('message', () => {
  try {
    storm(mm, 1, setting)
    parentPort!.postMessage('done')
  } catch (error) {
    parentPort!.postMessage(String((error as Error).stack))
  }
})
