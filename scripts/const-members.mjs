import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseAst } from 'rolldown/parseAst'

/**
 * Puts the numbers and strings of our constant objects (`export const Access = { read: 1, … } as const`) where a bundle names them
 * (`Access.read`), and what a function of one line makes of constants (`wordIndex(Word.frames)`). V8 does so when it optimizes a function; until then each is
 * a call of what loads properties, and a feedback slot that has to learn it. What a bundle does not name any more it does not have: 40 of 1,050 KB.
 *
 * `as const` is what says that nobody changes the object; the type checker sees to it.
 */
export function constMembers(constants) {
  return {
    name: 'const-members',
    transform: {
      filter: { id: /\.ts$/ },
      handler: (code, id) => constants.putInto(code, id),
    },
  }
}

/** What is replaced when its value is known. The bundler puts in the plain constants itself. */
const PUT_IN = new Set(['MemberExpression', 'CallExpression'])

/**
 * What is known before anything runs. By name: a number or a string; a Map of the members of an object; or a function that only returns what it makes of
 * its parameters, as `{ parameters, result, known }`.
 */
export class Constants {
  /** By the path of the file that has them: all names at its top, exported or not. */
  #ofFile

  constructor(folder) {
    const names = readdirSync(folder, { recursive: true }).filter((name) => /(?<!\.test)\.ts$/.test(name))
    const bodies = new Map(names.map((name) => [join(folder, name), bodyOf(join(folder, name))]))
    this.#ofFile = new Map([...bodies.keys()].map((file) => [file, new Map()]))
    // Files import each other in circles: until nothing more is known, whichever is looked at first.
    for (let before = -1, now = 0; now > before; ) {
      before = now
      for (const [file, body] of bodies) this.#ofFile.set(file, this.#namesIn(body, file))
      now = [...this.#ofFile.values()].reduce((sum, known) => sum + countOf(known), 0)
    }
  }

  of(file) {
    return this.#ofFile.get(file)
  }

  /** What an expression of a file is, if that is known; `names` mean something else there. */
  valueOf(expression, file, names = new Map()) {
    const all = this.of(file)
    const [first] = /^[A-Za-z_$][\w$]*/.exec(expression) ?? []
    if (!all?.has(first) || names.has(first)) return undefined
    const known = new Map(all)
    for (const name of names.keys()) known.delete(name)
    const [statement] = parseAst(`(${expression})`, { lang: 'ts' }, file).body
    return knownValue(statement.expression, known)
  }

  putInto(code, id) {
    const all = this.of(id)
    if (all === undefined) return null
    const { body } = parseAst(code, { lang: 'ts' }, id)
    const known = new Map(all)
    for (const name of innerNames(body)) known.delete(name)
    const edits = []
    walk(body, (node) => {
      const value = PUT_IN.has(node.type) ? knownValue(node, known) : undefined
      if (value !== undefined) edits.push({ start: node.start, end: node.end, value })
      return value === undefined
    })
    if (edits.length === 0) return null
    let text = ''
    let copied = 0
    for (const { start, end, value } of edits.sort((a, b) => a.start - b.start)) {
      text += `${code.slice(copied, start)}(${JSON.stringify(value)})`
      copied = end
    }
    return { code: text + code.slice(copied), map: null }
  }

  /** What the names at the top of a file stand for: its own constants, and those that it imports. */
  #namesIn(body, file) {
    const names = new Map()
    for (const statement of body) {
      if (statement.type !== 'ImportDeclaration' || !statement.source.value.startsWith('.')) continue
      const from = this.of(join(dirname(file), statement.source.value.replace(/\.js$/, '.ts')))
      for (const { type, imported, local } of statement.specifiers) {
        const value = type === 'ImportSpecifier' ? from?.get(imported.name) : undefined
        if (value !== undefined) names.set(local.name, value)
      }
    }
    for (const statement of body) addOwn(statement, names)
    return names
  }
}

function bodyOf(file) {
  return parseAst(readFileSync(file, 'utf8'), { lang: 'ts' }, file).body
}

/** How much is known. */
function countOf(names) {
  const members = (value) => [...value.values()].filter((one) => one !== undefined).length
  return [...names.values()].reduce((sum, value) => sum + (value instanceof Map ? members(value) : 1), 0)
}

/** Adds what a statement at the top of a file declares. */
function addOwn(statement, names) {
  const declaration = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement
  if (declaration?.type === 'FunctionDeclaration') {
    const formula = formulaOf(declaration, names)
    if (formula !== undefined) names.set(declaration.id.name, formula)
  }
  if (declaration?.type !== 'VariableDeclaration' || declaration.kind !== 'const') return
  for (const { id, init } of declaration.declarations) {
    const value = id.type === 'Identifier' ? constantOf(init, names) : undefined
    if (value !== undefined) names.set(id.name, value)
  }
}

/** A plain constant's value, or a Map of a constant object's members; undefined if it is neither. */
function constantOf(node, known) {
  if (node?.type === 'TSAsExpression' && node.typeAnnotation.typeName?.name === 'const')
    return membersOf(node.expression, known)
  return knownValue(node, known)
}

function membersOf(node, known) {
  if (node.type !== 'ObjectExpression') return undefined
  const members = new Map()
  for (const { type, computed, key, value } of node.properties) {
    if (type !== 'Property' || computed) return undefined
    members.set(key.name ?? key.value, knownValue(value, known))
  }
  return members
}

const UNARY = { '-': (a) => -a, '+': (a) => +a, '~': (a) => ~a }
const BINARY = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '**': (a, b) => a ** b,
  '|': (a, b) => a | b,
  '&': (a, b) => a & b,
  '^': (a, b) => a ^ b,
  '<<': (a, b) => a << b,
  '>>': (a, b) => a >> b,
  '>>>': (a, b) => a >>> b,
}

/** A finite number or a string that is known before anything runs; undefined otherwise. */
function knownValue(node, known) {
  if (node?.type === 'CallExpression') return resultOf(node, known)
  const value = evaluate(node, known)
  const isKnown = typeof value === 'string' || (Number.isFinite(value) && !Object.is(value, -0))
  return isKnown ? value : undefined
}

function evaluate(node, known) {
  switch (node?.type) {
    case 'Literal':
      return node.value
    case 'ParenthesizedExpression':
    case 'TSAsExpression':
      return knownValue(node.expression, known)
    case 'Identifier':
      return known.get(node.name)
    case 'MemberExpression':
      return memberOf(node, known)
    case 'UnaryExpression':
      return numeric(UNARY[node.operator], node.argument, known)
    case 'BinaryExpression':
      return numeric(BINARY[node.operator], node.left, node.right, known)
  }
  return undefined
}

function numeric(operation, ...nodes) {
  const known = nodes.pop()
  const values = nodes.map((node) => knownValue(node, known))
  return operation !== undefined && values.every((value) => typeof value === 'number')
    ? operation(...values)
    : undefined
}

/** A function that only returns what it makes of its parameters. */
function formulaOf({ params, body, async, generator }, known) {
  const [statement, ...more] = body?.body ?? []
  if (async || generator || statement?.type !== 'ReturnStatement' || more.length > 0) return undefined
  if (params.some(({ type }) => type !== 'Identifier')) return undefined
  return { parameters: params.map(({ name }) => name), result: statement.argument, known }
}

function resultOf({ callee, arguments: given, optional }, known) {
  const formula = callee.type === 'Identifier' && !optional ? known.get(callee.name) : undefined
  if (formula?.result === undefined || given.length !== formula.parameters.length) return undefined
  const values = given.map((each) => knownValue(each, known))
  return values.includes(undefined) ? undefined : compute(formula, values)
}

/** What a function of the constants returns; undefined if that is not known. */
export function compute({ parameters, result, known }, values) {
  return knownValue(result, new Map([...known, ...parameters.map((name, i) => [name, values[i]])]))
}

function memberOf(node, known) {
  if (node.type !== 'MemberExpression' || node.computed || node.object.type !== 'Identifier') return undefined
  const members = known.get(node.object.name)
  return members instanceof Map ? members.get(node.property.name) : undefined
}

/** All names that something below the top of a file is called. */
function innerNames(body) {
  const names = new Set()
  const pattern = (node) => {
    if (node?.type === 'Identifier') names.add(node.name)
    else if (node?.type !== 'MemberExpression')
      walk(node, (one) => void (one.type === 'Identifier' && names.add(one.name)))
  }
  const visit = (node, isTop) => {
    if (node.type === 'VariableDeclarator' && !isTop) pattern(node.id)
    if (node.params !== undefined && node.type !== 'TSTypeParameterInstantiation')
      for (const each of [node.params].flat()) pattern(each)
    if (!isTop && /^(Function|Class)/.test(node.type) && node.id) pattern(node.id)
    if (node.type === 'CatchClause' && node.param) pattern(node.param)
  }
  for (const statement of body) {
    const top = new Set([statement, statement.declaration])
    for (const one of [...top]) for (const each of one?.declarations ?? []) top.add(each)
    walk(statement, (node) => visit(node, top.has(node)))
  }
  return names
}

/** Into what is in a node, unless `visit` says false. */
function walk(node, visit) {
  if (node === null || typeof node !== 'object') return
  if (typeof node.type === 'string' && visit(node) === false) return
  for (const child of Object.values(node)) walk(child, visit)
}
