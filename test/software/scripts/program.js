// Node.js: V8's compilers make code and throw it away, threads share memory, processes are made.
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads')
const { execFileSync } = require('node:child_process')
const { createHash } = require('node:crypto')
const { gzipSync, gunzipSync } = require('node:zlib')
const fs = require('node:fs')

if (!isMainThread) {
  const { shared, own } = workerData
  const counters = new Int32Array(shared)
  for (let i = 0; i < 20_000; i++) Atomics.add(counters, 0, 1)
  Atomics.add(counters, 1, 1)
  Atomics.notify(counters, 1)
  parentPort.postMessage({ own, seen: counters[0] > 0 })
} else main()

async function main() {
  const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2))
  console.log('hot', fib(24))
  // What was compiled for one kind of object meets another.
  const area = (shape) => shape.w * shape.h
  let sum = 0
  for (let i = 0; i < 60_000; i++)
    sum += area(i % 1000 === 999 ? { h: 2.5, w: i, more: true } : { w: i, h: 2 })
  console.log('shapes', sum)
  console.log(
    'functions',
    Array.from({ length: 200 }, (_, k) => new Function('x', `return x * ${k} + 1`)(k)).reduce(
      (a, b) => a + b,
    ),
  )

  const map = new Map(Array.from({ length: 20_000 }, (_, i) => [`k${i % 500}`, i]))
  const text = JSON.stringify([...map])
  console.log('json', JSON.parse(text).length, createHash('sha256').update(text).digest('hex').slice(0, 16))
  console.log('zlib', gunzipSync(gzipSync(text)).toString() === text)
  console.log('bigint', 3n ** 200n % 1000000007n, /^(?<a>\w+)-\k<a>$/u.exec('ab-ab').groups.a)

  // 40 MB come and go several times.
  let kept = 0
  for (let round = 0; round < 8; round++)
    kept += Array.from({ length: 20_000 }, (_, i) => ({ i, s: `s${i}` })).filter(({ i }) => i % 2).length
  console.log('garbage', kept)

  fs.writeFileSync('file', 'first\n')
  fs.appendFileSync('file', 'second\n')
  console.log('file', fs.readFileSync('file', 'utf8').split('\n'), fs.statSync('file').size)
  try {
    fs.openSync('absent')
  } catch ({ code, errno, syscall }) {
    console.log('error', code, errno, syscall)
  }
  console.log(
    'child',
    execFileSync(process.execPath, ['-p', '[process.argv.length, 6 * 7]']).toString().trim(),
  )

  const shared = new SharedArrayBuffer(8)
  const workers = [0, 1].map((own) => new Worker(__filename, { workerData: { shared, own } }))
  const ends = workers.map((worker) => new Promise((resolve) => worker.once('message', resolve)))
  const said = await Promise.all(ends)
  console.log('workers', said, [...new Int32Array(shared)])
  await new Promise((resolve) => setTimeout(resolve, 20))
  process.exitCode = 3
}
