/**
 * Random instruction sequences on our hart and in qemu-riscv64, registers, memory, flags and signals compared:
 *
 *     PAGODA_SEQUENCES=20000 PAGODA_SEED=7 npx vitest run test/hart/differential.test.ts
 *
 * PAGODA_FULL makes it 100,000. docs/hart-fuzz.md says what the sequences contain and what is left out.
 */
import { expect, test } from 'vitest'
import { type Batch, compare, describe as describeSequence, makeBatch } from './batch.js'
import { HartMachine } from './hart-machine.js'
import { elfOf } from './image.js'
import { findQemu, runInQemu } from './qemu.js'

const SEQUENCES = Number(process.env.PAGODA_SEQUENCES ?? (process.env.PAGODA_FULL ? 100_000 : 3000))
const SEED = Number(process.env.PAGODA_SEED ?? 1)
/** Sequences in one process: their code must be in reach of a jump. */
const BATCH = 500
/** One batch in so many is translated too: compiling what is executed once takes long. */
const TRANSLATED = 3
const MACHINE_BYTES = 32 * 2 ** 20

const qemu = findQemu()
if (qemu === undefined) {
  const message = 'qemu-riscv64 is not there (PAGODA_QEMU): the hart was NOT compared with it'
  if (process.env.CI) throw new Error(message)
  console.warn(message)
}

/** Throws at the first sequence that ends differently, with all that is needed to look into it. */
function runBatch(batch: Batch, seeds: readonly number[], machines: readonly HartMachine[]): void {
  const expected = runInQemu(qemu!, elfOf(batch.segments, batch.entry), batch.outputBytes)
  for (const machine of machines) compareWith(expected, batch, seeds, machine)
}

function compareWith(
  expected: Uint8Array,
  batch: Batch,
  seeds: readonly number[],
  machine: HartMachine,
): void {
  const differences = compare(batch, expected, machine.run(batch.segments, batch.entry))
  const [first] = differences
  if (first === undefined) return
  const text = describeSequence(batch.sequences[first.sequence]!)
  const seed = seeds[first.sequence]
  expect.fail(
    `${differences.length} of ${seeds.length} sequences differ; seed ${seed}:\n${first.text}\n${text}`,
  )
}

test.skipIf(qemu === undefined)(
  `${SEQUENCES} sequences from seed ${SEED} end as in qemu`,
  async () => {
    // Shared memory has atomics of its own: every other batch runs there.
    const machines = [0, 1].map((threshold) =>
      [false, true].map((shared) => new HartMachine(MACHINE_BYTES, shared, threshold)),
    )
    for (let done = 0; done < SEQUENCES; done += BATCH) {
      const count = Math.min(BATCH, SEQUENCES - done)
      const seeds = Array.from({ length: count }, (_, i) => SEED * 1_000_003 + done + i)
      const number = done / BATCH
      const kinds = number % TRANSLATED === 0 ? machines : [machines[0]!]
      runBatch(
        makeBatch(seeds),
        seeds,
        kinds.map((kind) => kind[number % 2]!),
      )
      // V8 frees code that nobody has any use for when it is between two tasks.
      await new Promise(setImmediate)
    }
  },
  Math.max(300_000, SEQUENCES * 10),
)
