import { RolldownMagicString } from 'rolldown'
import { parseAst } from 'rolldown/parseAst'

/**
 * Parts the command in four scripts: what each program needs, what many do, what translates, and the rest. The later ones are loaded when a function of theirs is first
 * called. Whatever is at the top of a script costs at each start, used or not: V8 takes it from its cache, makes its functions and
 * classes, and copies them when it collects garbage. (Measured for hello: 84 ms of processor time in one script, 74 in two.)
 *
 * No list says what is late, and the sources know nothing of it: the build runs the command on programs (executed-functions.mjs), and late are the functions
 * and classes of which nothing ran, and the constants that nothing else mentions. Other scripts have a stub for each late function that they
 * mention: it loads the script, which gives all these names their values, and calls again. What of the last script is only called has no stub: whoever calls
 * it gets it from there.
 *
 * It is right because our modules have no effects when they are loaded ("sideEffects" of package.json): a constant may be made later.
 */

/** In the order in which they come to be needed. */
export const SCRIPTS = ['command', 'frequent', 'translator', 'late']
/** Places of those that are loaded when they are needed. */
const LATER = SCRIPTS.map((_, script) => script).slice(1)
const LAST = SCRIPTS.length - 1
/** What comes later does without it: whoever needs a report does not translate. */
const ASIDE = SCRIPTS.indexOf('translator')
/** What a script waits for: those before it. */
const before = (script) => LATER.filter((each) => each < script && each !== ASIDE)
/** What must have run for a function to be in a script, or in one before it (executed-functions.mjs): the last one has the rest. */
const RAN = ['later', 'frequent', 'translating']

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
  /** Where it mentions which, and how: 'call', 'new', 'shorthand' (of a property) or 'value'. */
  places = []
  /** Names of others that it compares or gives another value: they must be what they are everywhere. */
  fixed = new Set()
  /** Names of others that it gives another value when it runs. */
  changes = new Set()

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

  /** The names that it mentions where its script makes it. */
  get madeOf() {
    if (this.kind === 'function') return []
    const makes = this.kind === 'class' ? madeWithClass(this.definition) : [this.node]
    const isThere = ({ node }) => makes.some(({ start, end }) => node.start >= start && node.end <= end)
    return this.places.filter(isThere).map(({ node }) => node.name)
  }

  /** A class that has none may be made without a function of its own that runs. */
  get hasConstructor() {
    return this.definition.body.body.some(({ kind }) => kind === 'constructor')
  }
}

/** The parts of a class that are executed when it is made. */
function madeWithClass({ superClass, body }) {
  const members = body.body.filter((one) => one.type === 'StaticBlock' || one.static)
  return [...(superClass ? [superClass] : []), ...members.filter(({ type }) => type !== 'MethodDefinition')]
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

/** Calls `visit(identifier, parent, isGiven)` for all that may be a variable of the top; `isGiven`: it is given a value. */
function eachVariable(node, visit, parent = node, hidden = new Set(), isGiven = false) {
  if (node.type === 'Identifier') {
    if (!hidden.has(node.name)) visit(node, parent, isGiven)
    return
  }
  const names = namesIn(node)
  const inside = names.length === 0 ? hidden : new Set([...hidden, ...names])
  const isInPattern = isGiven && /Pattern$|^Property$|^RestElement$/.test(node.type)
  for (const each of partsOf(node)) {
    const isTarget = /^(Assignment|For)/.test(node.type) && each === node.left
    eachVariable(each, visit, node, inside, isTarget || isInPattern || node.type === 'UpdateExpression')
  }
}

/** Whether a function looks at how it is called, which a stub would change. */
function looksAtCall(node) {
  if (node.type === 'ThisExpression' || node.type === 'MetaProperty' || node.name === 'arguments') return true
  const isOther = /^Function|^Class/.test(node.type)
  return !isOther && [...partsOf(node)].some(looksAtCall)
}

function noteMentions(unit, byName) {
  if (unit.kind === 'function' && looksAtCall(unit.definition.body)) unit.fixed.add(unit.names[0])
  eachVariable(unit.node, (node, parent, isChanged) => {
    const { name } = node
    if (!byName.has(name) || unit.names.includes(name)) return
    const isMade = parent.type === 'NewExpression' && parent.callee === node
    const isCalled = parent.type === 'CallExpression' && parent.callee === node
    const isShort = parent.type === 'Property' && parent.shorthand
    unit.places.push({ node, how: isMade ? 'new' : isCalled ? 'call' : isShort ? 'shorthand' : 'value' })
    unit.mentions.set(name, isMade && (unit.mentions.get(name) ?? true))
    // A value is the same wherever it is made; a function may be its stub.
    const isCompared =
      /^(BinaryExpression|SwitchCase)$/.test(parent.type) && byName.get(name).kind !== 'value'
    const isChangedLater = isChanged && unit.kind !== 'statement'
    if (isChangedLater) unit.changes.add(name)
    if (isCompared || isChangedLater) unit.fixed.add(name)
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
 * The units that must be there when functions run: `later` and `loading` are those that did, the second when the script was loaded. What ran then
 * made a value: it is needed if that is. `also`: units that are needed anyway.
 */
function findNeeded({ units, byName }, later, loading, also = []) {
  const ran = unitsThatRan(units, later)
  const made = unitsThatRan(units, loading)
  const isCode = ({ kind }) => kind === 'function' || kind === 'class'
  const needed = new Set()
  const left = [
    ...also,
    ...units.filter((unit) => unit.kind === 'statement' || (isCode(unit) && ran.has(unit))),
  ]
  for (const { fixed } of units) for (const name of fixed) left.push(byName.get(name))
  while (left.length > 0) {
    const unit = left.pop()
    if (needed.has(unit)) continue
    needed.add(unit)
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
  return needed
}

/** The units of a script and of those before it. */
function neededUpTo(graph, executed, script) {
  const all = (...which) => which.flatMap((each) => executed.flatMap((run) => run[each]))
  const find = (also) => findNeeded(graph, all(...RAN.slice(0, script + 1)), all('loading'), also)
  let needed = find([])
  if (script !== ASIDE) return needed
  // What of the last script is made of something of this one would bring this one with it.
  const earlier = neededUpTo(graph, executed, script - 1)
  const isAside = (name) => needed.has(graph.byName.get(name)) && !earlier.has(graph.byName.get(name))
  for (;;) {
    const also = graph.units.filter((unit) => !needed.has(unit) && unit.madeOf.some(isAside))
    if (also.length === 0) return needed
    needed = find([...needed, ...also])
  }
}

/**
 * What makes stubs, by what they take: one for classes, one for functions of each number of parameters, and one for the others. That they are
 * closures of a few functions, and not functions of their own, takes less: there are hundreds. (700 of them by themselves: 0.7 ms to take from V8's cache and make, so 0.3.)
 */
function stubMakers(kinds) {
  return [...new Set(kinds)].map((kind) => {
    const take =
      typeof kind === 'number' ? Array.from({ length: kind }, (_, i) => `a${i}`).join(', ') : '...args'
    const real = 'late$get(script, i)'
    const call = kind === 'class' ? `new (${real})(${take})` : `${real}(${take})`
    return `function late$${kind}(script, i) { return function (${take}) { return ${call} } }\n`
  })
}

function stubKind({ kind, definition }) {
  if (kind === 'class') return 'class'
  const { params } = definition
  return params.every(({ type }) => type === 'Identifier') ? params.length : 'any'
}

/** What is in which script. */
class Parts {
  #units
  #byName
  /** By unit: a place in SCRIPTS. */
  #script = new Map()

  constructor(code, executed) {
    const graph = unitsOf(code)
    this.#units = graph.units
    this.#byName = graph.byName
    const needed = RAN.map((_, script) => neededUpTo(graph, executed, script))
    for (const unit of graph.units) {
      const script = needed.findIndex((those) => those.has(unit))
      this.#script.set(unit, script < 0 ? LAST : script)
    }
    this.#checkChanges()
  }

  /** Other scripts have copies of names. */
  #checkChanges() {
    const changed = new Set(this.#units.flatMap(({ changes }) => [...changes]))
    for (const unit of this.#units) {
      const name = [...unit.mentions.keys()].find((each) => changed.has(each) && !this.#isIn(each, unit))
      if (name !== undefined) throw new Error(`${name} is changed, and ${unit.names} is in another script`)
    }
  }

  #isIn(name, unit) {
    return this.#script.get(this.#byName.get(name)) === this.#script.get(unit)
  }

  of(script) {
    return this.#units.filter((unit) => this.#script.get(unit) === script)
  }

  /** The names of a script that another one mentions. */
  wanted(by, script) {
    const names = new Set(this.of(by).flatMap(({ mentions }) => [...mentions.keys()]))
    return [...names].filter((name) => this.#script.get(this.#byName.get(name)) === script)
  }

  /** All that others want of a script: what comes before it first, whose stubs they are. */
  given(script) {
    const others = SCRIPTS.map((_, each) => each).filter((each) => each !== script)
    return [...new Set(others.flatMap((by) => this.wanted(by, script)))]
  }

  /** What a script wants of later ones that has a stub: all, but for what of the last script is only called. */
  stubbed(by, script) {
    const names = this.wanted(by, script)
    if (script < LAST) return names
    const places = this.of(by).flatMap((unit) => unit.places)
    const isValue = ({ how }) => how === 'value' || how === 'shorthand'
    const values = new Set(places.filter(isValue).map(({ node }) => node.name))
    return names.filter((name) => values.has(name))
  }

  /** Stubs of what a script wants of later ones. */
  stubs(by) {
    const wanted = LATER.filter((script) => script > by).flatMap((script) => {
      const given = this.given(script)
      return this.stubbed(by, script).map((name) => ({ name, script, at: given.indexOf(name) }))
    })
    if (wanted.length === 0) return ''
    const kinds = wanted.map(({ name }) => stubKind(this.#byName.get(name)))
    const made = wanted.map(({ name, script, at }, i) => `${name} = late$${kinds[i]}(${script}, ${at})`)
    return `${stubMakers(kinds).join('')}var ${made.join(', ')}\n`
  }

  /**
   * Where a script has what it gets each time, and what stands there then: of the last script what is only called, as that is seldom done, and a stub
   * takes room from the start on (of hello's young objects 350 stubs were a twentieth); and in the last one all of the script that it does not wait for.
   */
  gets(by) {
    const script = by === LAST ? ASIDE : LAST
    const given = this.given(script)
    const stubbed = new Set(by === LAST ? [] : this.stubbed(by, LAST))
    const isGot = ({ name }) => !stubbed.has(name) && this.#script.get(this.#byName.get(name)) === script
    return this.of(by)
      .flatMap(({ places }) => places)
      .filter(({ node }) => isGot(node))
      .map(({ node, how }) => {
        const real = `late$get(${script}, ${given.indexOf(node.name)})`
        return {
          ...node,
          text: how === 'call' ? real : how === 'shorthand' ? `${node.name}: ${real}` : `(${real})`,
        }
      })
  }

  /** Gives each stub of a script that is loaded now, whose names have the values `late$names`, its own. */
  told(by, script) {
    const given = this.given(script)
    return this.stubbed(by, script)
      .map((name) => `${name} = late$names[${given.indexOf(name)}]`)
      .join('; ')
  }
}

/** What comes first in each script, and last. The stubs are first: a table may have them in it. */
function frame(parts, script) {
  return script === 0 ? firstFrame(parts) : laterFrame(parts, script)
}

/** A script is loaded after those that it waits for, and told to all that have stubs of it. */
function firstFrame(parts) {
  const early = LATER.map((script) => `if (late$script === ${script}) return [${parts.wanted(script, 0)}]`)
  return {
    first: `
var late$all = []
var late$link = { get: late$get, all: late$all, tell: [late$tell] }
function late$get(late$script, late$i) { return (late$all[late$script] ?? late$load(late$script))[late$i] }
function late$load(late$script) {
  for (const late$before of ${JSON.stringify(SCRIPTS.map((_, script) => before(script)))}[late$script]) {
    if (late$all[late$before] === undefined) late$load(late$before)
  }
  const late$names = late$all[late$script] = module.loadLate(late$script, late$early(late$script), late$link)
  for (const late$told of late$link.tell) late$told(late$script, late$names)
  return late$names
}
function late$early(late$script) {
  ${early.join('\n  ')}
}
${tell(parts, 0)}
${parts.stubs(0)}`,
    last: '',
  }
}

function laterFrame(parts, script) {
  const taken = before(script).flatMap((each) => {
    const given = parts.given(each)
    return parts
      .wanted(script, each)
      .map((name) => `${name} = late$link.all[${each}][${given.indexOf(name)}]`)
  })
  // The names are constants here: V8 takes the value of one for granted.
  const names = [`[${parts.wanted(script, 0)}] = late$early`, ...taken]
  return {
    first: `
const ${names.join(', ')}, late$get = late$link.get
${script === LAST ? '' : waits(parts, script)}`,
    last: `\nmodule.exports = [${parts.given(script)}]\n`,
  }
}

/** Stubs of what comes later, which may be there already. */
function waits(parts, script) {
  return `${tell(parts, script)}
late$link.tell.push(late$tell)
${parts.stubs(script)}
if (late$link.all[${LAST}] !== undefined) late$tell(${LAST}, late$link.all[${LAST}])
`
}

/** The function that gives the stubs of a script their values when a later one is loaded. */
function tell(parts, by) {
  const told = LATER.filter((script) => script > by).map(
    (script) => `if (late$script === ${script}) { ${parts.told(by, script)} }`,
  )
  return `function late$tell(late$script, late$names) {\n  ${told.join('\n  ')}\n}`
}

/** A plugin for each script. `whole`: the bundle that ran; `executed`: what of it. */
export function partedCode(whole, executed) {
  return SCRIPTS.map((name, script) => ({
    name: `${name}-code`,
    renderChunk(code) {
      if (code !== whole) throw new Error('the bundle is not the one that ran')
      if (code.includes('late$')) throw new Error('late$ is a name of scripts/late-code.mjs')
      const parts = new Parts(code, executed)
      const text = new RolldownMagicString(code)
      for (const [other] of SCRIPTS.entries()) {
        if (other !== script) for (const { node } of parts.of(other)) text.remove(node.start, node.end)
      }
      for (const { start, end, text: real } of parts.gets(script)) text.update(start, end, real)
      const { first, last } = frame(parts, script)
      text.prepend(first)
      text.append(last)
      return { code: text.toString(), map: JSON.parse(text.generateMap({ hires: 'boundary' }).toString()) }
    },
  }))
}
