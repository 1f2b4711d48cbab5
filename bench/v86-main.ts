/**
 * Boots a machine in v86 that runs works of programs/kernels.c ("NAME COUNT", an argument each), and prints the seconds that
 * each took by the clock of that machine, as JSON.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { V86 } from 'v86'
import { type V86Parts, v86Parts } from './v86-parts.js'

const MINUTES = 30

function image(path: string): { buffer: ArrayBuffer } {
  return { buffer: Uint8Array.from(readFileSync(path)).buffer }
}

function boot({ kernel, bios, vgaBios, initrd }: V86Parts): V86 {
  return new V86({
    wasm_path: fileURLToPath(import.meta.resolve('v86/build/v86.wasm')),
    memory_size: 128 * 2 ** 20,
    bios: image(bios),
    vga_bios: image(vgaBios),
    bzimage: image(kernel),
    initrd: { buffer: Uint8Array.from(initrd).buffer },
    cmdline: 'console=ttyS0 quiet mitigations=off',
    autostart: true,
    disable_keyboard: true,
    disable_mouse: true,
    disable_speaker: true,
  })
}

/** What the machine prints until it has done all. */
function run(parts: V86Parts): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const machine = boot(parts)
    setTimeout(() => reject(new Error(`v86 has not ended in ${MINUTES} minutes:\n${text}`)), MINUTES * 60_000)
    machine.add_listener('serial0-output-byte', (byte: number) => {
      text += String.fromCharCode(byte)
      if (/^end \d+\r?\n/m.test(text)) resolve(text)
    })
  })
}

const text = await run(v86Parts(process.argv.slice(2)))
if (!/^end 0\r?$/m.test(text)) throw new Error(`a program failed in v86:\n${text}`)
const times = [...text.matchAll(/^work (\S+)\s[\s\S]*?^cpu (\d+\.\d+)/gm)].map(([, name, time]) => [
  name,
  Number(time),
])
console.log(JSON.stringify(Object.fromEntries(times)))
process.exit() // the machine would run on
