/** Runs the program that ships with Pagoda, then whichever file is chosen. */
import { bootLinux, callbackOutput, fixedInput } from '../../dist/linux.js'

const TOUR = new URL('../programs/tour.elf', import.meta.url)
const PATH = '/bin/program'

const element = (id) => document.getElementById(id)
const say = (text) => {
  element('status').textContent = text
}

/** With the two isolation headers the RAM is a SharedArrayBuffer, which workers could attach to; else plain memory. */
const shared = globalThis.crossOriginIsolated === true
element('memory').textContent = shared ? 'Its RAM is shared memory.' : 'Its RAM is plain memory.'

/** Appends to an element what a stream of the guest's says; characters may be split between chunks. */
function outputTo(target) {
  const decoder = new TextDecoder()
  return callbackOutput((chunk) => target.append(decoder.decode(chunk, { stream: true })))
}

function boot() {
  const output = element('output')
  output.textContent = ''
  element('maps').textContent = ''
  const host = {
    stdin: fixedInput(new Uint8Array(0)),
    stdout: outputTo(output),
    stderr: outputTo(output),
  }
  return bootLinux({ host, memory: 64 * 2 ** 20, shared })
}

async function run(name, bytes) {
  say(`${name} runs…`)
  const { linux, files } = boot()
  const problem = files.addFile(PATH, bytes, 0o755) < 0 ? 'too large' : linux.start(PATH, [name], [])?.reason
  if (problem !== undefined) return say(`${name}: ${problem}`)
  const { exitCode, crash, memory } = await linux.run()
  element('maps').textContent = memory.maps
  const end = crash === undefined ? `ended with exit code ${exitCode}` : `died of ${crash.name}`
  say(
    `${name} ${end}, ${memory.instructions.toLocaleString('en')} instructions, ${linux.mm.stats().events.faultAnonymous} fresh frames.`,
  )
}

element('file').addEventListener('change', async ({ target }) => {
  const [file] = target.files
  if (file) await run(file.name, new Uint8Array(await file.arrayBuffer()))
})

const response = await fetch(TOUR)
await run('tour.elf', new Uint8Array(await response.arrayBuffer()))
