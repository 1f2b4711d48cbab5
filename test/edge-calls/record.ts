/** `npm run record:calls`: what the real kernel answers to the cases. */
import { buildPrograms } from '../setup/programs.js'
import { record } from './run.js'

await buildPrograms()
console.log(`${record()} answers`)
