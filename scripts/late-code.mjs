import { RolldownMagicString } from 'rolldown'
import { parseAst } from 'rolldown/parseAst'

/**
 * Parts the command in two scripts: what each program needs, and the rest, the late code, which is loaded when a function of it is first
 * called. Whatever is at the top of a script costs at each start, used or not: V8 takes it from its cache, makes its functions and
 * classes, and copies them when it collects garbage. (Measured for hello: 84 ms of processor time in one script, 74 in two.)
 *
 * No list says what is late, and the sources know nothing of it: the build runs the command (executed-functions.mjs), and late are the functions
 * and classes of which nothing ran, and the constants that nothing else mentions. The other script has a stub for each late function that it
 * mentions: it loads the late code, which gives all these names their values, and calls again.
 *
 * It is right because our modules have no effects when they are loaded ("sideEffects" of package.json): a constant may be made later.
 */

/** What stands at the top of the bundle. */
class Unit {
  /** 'function', 'class', 'value' or 'statement' */
  kind = 'statement'
  /** What it declares. */
  names = []
  /** The function or class. */
  definition
  /** The names of other units that it mentions, and whether only as what `new` makes. */
  mentions = new Map()
  /** Names of others that it compares or gives another value: they must be what they are everywhere. */
  fixed = new Set()

  constructor(node) {
    this.node = node
    if (node.type === 'FunctionDeclaration') this.#declare('function', node)
    else if (node.type === 'ClassDeclaration') this.#declare('class', node)
    else if (node.type === 'VariableDeclaration') this.#declareVariables(node)
  }

  #declare(kind, definition, { name } = definition.id) {
    this.kind = kind
    this.definition = definition
    this.names = [name]
  }

  #declareVariables({ declarations }) {
    const [{ id, init }] = declarations
    const isOne = declarations.length === 1 && id.type === 'Identifier'
    if (isOne && init?.type === 'ClassExpression') this.#declare('class', init, id)
    else if (isOne && /^(Arrow)?FunctionExpression$/.test(init?.type)) this.#declare('function', init, id)
    else {
      this.kind = 'value'
      this.names = declarations.flatMap((each) => boundNames(each.id))
    }
  }

  /** A class that has none may be made without a function of its own that runs. */
  get hasConstructor() {
    return this.definition.body.body.some(({ kind }) => kind === 'constructor')
  }
}

function boundNames(pattern) {
  if (pattern === null) return []
  if (pattern.type === 'Identifier') return [pattern.name]
  if (pattern.type === 'ObjectPattern')
    return pattern.properties.flatMap((each) => boundNames(each.value ?? each.argument))
  if (pattern.type === 'ArrayPattern') return pattern.elements.flatMap(boundNames)
  return boundNames(pattern.left ?? pattern.argument)
}

const isNode = (value) => typeof value?.type === 'string'
const isFunction = ({ type }) => /^(Arrow)?Function(Expression|Declaration)$/.test(type)

/** The nodes right below a node, but for names of properties. */
function* partsOf(node) {
  for (const [key, child] of Object.entries(node)) {
    if ((key === 'property' || key === 'key') && !node.computed) continue
    for (const each of Array.isArray(child) ? child : [child]) if (isNode(each)) yield each
  }
}

/** The names of `var` in a function, wherever they stand in it. */
function hoistedNames(node) {
  if (node.type === 'VariableDeclaration' && node.kind === 'var')
    return node.declarations.flatMap(({ id }) => boundNames(id))
  return isFunction(node) ? [] : [...partsOf(node)].flatMap(hoistedNames)
}

/** What statements declare for the block that they stand in. */
function blockNames(statements) {
  return statements.filter(Boolean).flatMap((node) => {
    if (node.type === 'VariableDeclaration' && node.kind !== 'var')
      return node.declarations.flatMap(({ id }) => boundNames(id))
    return /^(Function|Class)Declaration$/.test(node.type) ? [node.id.name] : []
  })
}

/** The names that mean something of its own in a node. */
function namesIn(node) {
  if (isFunction(node)) {
    const own = node.type === 'FunctionExpression' && node.id ? [node.id.name] : []
    return [...own, ...node.params.flatMap(boundNames), ...hoistedNames(node.body)]
  }
  if (node.type === 'ClassExpression') return node.id ? [node.id.name] : []
  if (node.type === 'BlockStatement' || node.type === 'StaticBlock') return blockNames(node.body)
  if (node.type === 'SwitchStatement') return blockNames(node.cases.flatMap(({ consequent }) => consequent))
  if (node.type === 'CatchClause') return boundNames(node.param)
  return /^For/.test(node.type) ? blockNames([node.init, node.left]) : []
}

/** Calls `visit(identifier, parent)` for all that may be a variable of the top. */
function eachVariable(node, visit, parent = node, hidden = new Set()) {
  if (node.type === 'Identifier') {
    if (!hidden.has(node.name)) visit(node, parent)
    return
  }
  const names = namesIn(node)
  const inside = names.length === 0 ? hidden : new Set([...hidden, ...names])
  for (const each of partsOf(node)) eachVariable(each, visit, node, inside)
}

function noteMentions(unit, byName) {
  eachVariable(unit.node, ({ name }, parent) => {
    if (!byName.has(name) || unit.names.includes(name)) return
    const isMade = parent.type === 'NewExpression' && parent.callee.name === name
    unit.mentions.set(name, isMade && (unit.mentions.get(name) ?? true))
    const isChanged = parent.type === 'AssignmentExpression' || parent.type === 'UpdateExpression'
    // A value is the same wherever it is made; a function may be its stub.
    const isCompared = parent.type === 'BinaryExpression' && byName.get(name).kind !== 'value'
    if (isCompared || (isChanged && unit.kind !== 'statement')) unit.fixed.add(name)
  })
}

function unitsOf(code) {
  const units = parseAst(code).body.map((node) => new Unit(node))
  const byName = new Map(units.flatMap((unit) => unit.names.map((name) => [name, unit])))
  for (const unit of units) noteMentions(unit, byName)
  return { units, byName }
}

/** The units of which a function ran; [start, end) of each that did. */
function unitsThatRan(units, functions) {
  return new Set(
    units.filter(({ node }) => functions.some(([start, end]) => start >= node.start && end <= node.end)),
  )
}

/**
 * The units that must be there from the start. `executed`: the functions that ran, when the script was loaded and later. What ran when it was
 * loaded made a value: it is needed if that is.
 */
function findEarly({ units, byName }, executed) {
  const ran = unitsThatRan(
    units,
    executed.flatMap(({ later }) => later),
  )
  const made = unitsThatRan(
    units,
    executed.flatMap(({ loading }) => loading),
  )
  const isCode = ({ kind }) => kind === 'function' || kind === 'class'
  const early = new Set()
  const left = units.filter((unit) => unit.kind === 'statement' || (isCode(unit) && ran.has(unit)))
  for (const { fixed } of units) for (const name of fixed) left.push(byName.get(name))
  while (left.length > 0) {
    const unit = left.pop()
    if (early.has(unit)) continue
    early.add(unit)
    // A class makes its static members when it is made.
    const mayHaveMade = unit.kind !== 'function' || made.has(unit)
    for (const [name, isOnlyMade] of unit.mentions) {
      const other = byName.get(name)
      const mayBeStub =
        other.kind === 'function' ||
        (other.kind === 'class' && isOnlyMade && (other.hasConstructor || !ran.has(unit)))
      if (!mayBeStub || (mayHaveMade && made.has(other))) left.push(other)
    }
  }
  return early
}

/**
 * What makes stubs, by what they take: one for classes, one for functions of each number of parameters, and one for the others. That they are
 * closures of a few functions, and not functions of their own, takes a third of a millisecond off each start: there are hundreds.
 */
function stubMakers(kinds) {
  return kinds.map((kind) => {
    const take =
      typeof kind === 'number' ? Array.from({ length: kind }, (_, i) => `a${i}`).join(', ') : '...args'
    const call = kind === 'class' ? `new (late$get(i))(${take})` : `late$get(i)(${take})`
    return `function late$${kind}(i) { return function (${take}) { return ${call} } }`
  })
}

function stubKind({ kind, definition }) {
  if (kind === 'class') return 'class'
  const { params } = definition
  return params.every(({ type }) => type === 'Identifier') ? params.length : 'any'
}

/** A plugin for each script. `whole`: the bundle that ran. */
export function partedCode(whole, executed) {
  const render = (name, edit) => ({
    name,
    renderChunk(code) {
      if (code !== whole) throw new Error('the bundle is not the one that ran')
      if (code.includes('late$')) throw new Error('late$ is a name of scripts/late-code.mjs')
      const { units, byName } = unitsOf(code)
      const early = findEarly({ units, byName }, executed)
      const mentioned = (those) => [...new Set(those.flatMap(({ mentions }) => [...mentions.keys()]))]
      const late = units.filter((unit) => !early.has(unit))
      /** What each of the two needs of the other. */
      const lateNames = mentioned([...early]).filter((each) => !early.has(byName.get(each)))
      const earlyNames = mentioned(late).filter((each) => early.has(byName.get(each)))
      const text = new RolldownMagicString(code)
      edit({ text, byName, early, late, lateNames, earlyNames })
      return { code: text.toString(), map: JSON.parse(text.generateMap({ hires: 'boundary' }).toString()) }
    },
  })
  const drop = (text, units) => {
    for (const { node } of units) text.remove(node.start, node.end)
  }
  return {
    early: render('early-code', ({ text, byName, late, lateNames, earlyNames }) => {
      drop(text, late)
      const kinds = lateNames.map((name) => stubKind(byName.get(name)))
      // They come first: a table may have them in it.
      text.prepend(`
var late$all
function late$get(i) { return (late$all ?? late$load())[i] }
function late$load() {
  late$all = module.loadLate([${earlyNames.join(', ')}]);
  [${lateNames.join(', ')}] = late$all
  return late$all
}
${stubMakers([...new Set(kinds)]).join('\n')}
var ${lateNames.map((name, i) => `${name} = late$${kinds[i]}(${i})`).join(', ')}
`)
    }),
    // The names are constants here: V8 takes the value of one for granted.
    late: render('late-code', ({ text, early, lateNames, earlyNames }) => {
      drop(text, early)
      text.prepend(`const [${earlyNames.join(', ')}] = early;\n`)
      text.append(`\nmodule.exports = [${lateNames.join(', ')}]\n`)
    }),
  }
}
