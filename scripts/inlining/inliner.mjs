import ts from 'typescript'
import { Formulas } from './formulas.mjs'
import {
  beginsStatement,
  isAssignment,
  isPath,
  isReadonly,
  isRestless,
  isSettled,
  isUpdate,
  walk,
} from './syntax.mjs'
import { all, NOT_KNOWN, notLong, OUTERMOST, Writer } from './writer.mjs'

const { SyntaxKind } = ts

/** Stands for what is set. */
const GIVEN = '$given'

/**
 * Puts what short functions, methods and accessors do in the places of their calls. What it leaves alone, and why: inline-calls.mjs. What is evaluated moves:
 * arguments and receivers to where the formula has them. That is the same
 *
 * - where they and the formula only compute (Writer): all of it is at one moment;
 * - of a call whose result is a call, or that is a call: the same, and then the call;
 * - of a formula that only reads or writes one element (`isStable`), whatever the arguments do;
 * - of several assignments, and where calls stay in the midst of an expression, if names mean the same all the time (`#isFixed`, `#isFixedReceiver`).
 */
export class Inliner {
  #checker
  #formulas
  #writer

  constructor(program, constants) {
    this.#checker = program.getTypeChecker()
    this.#formulas = new Formulas(program)
    this.#writer = new Writer(this.#checker, this.#formulas, constants)
  }

  /** The text of a source file with all that can be put in. */
  putInto(file) {
    const { text, found } = this.#edited(file, 0)
    return found ? text : file.text
  }

  /** The text of a node from `start` on. */
  #edited(node, start) {
    const file = node.getSourceFile()
    let text = ''
    let copied = start
    const visit = (child) => {
      const replaced = this.#replaced(child)
      if (replaced === NOT_KNOWN) return ts.forEachChild(child, visit)
      const from = child.getStart(file)
      const original = file.text.slice(from, child.end)
      text += file.text.slice(copied, from) + withEnd(withLines(replaced, original), original)
      copied = child.end
    }
    ts.forEachChild(node, visit)
    return { text: text + file.text.slice(copied, node.end), found: copied !== start }
  }

  /** An expression's text, whether something is put into it or not. */
  #write(node) {
    return this.#replaced(node) ?? this.#edited(node, node.getStart()).text
  }

  /** What stands for a node, if something does. */
  #replaced(node) {
    const text = this.#changed(node)
    return text?.startsWith('(') && beginsStatement(node) ? NOT_KNOWN : text
  }

  #changed(node) {
    if (ts.isExpressionStatement(node)) return this.#statement(node.expression)
    if (isAssignment(node)) return this.#assignment(node)
    if (isUpdate(node)) return this.#update(node)
    return this.#writer.result(node, OUTERMOST) ?? (ts.isCallExpression(node) ? this.#call(node) : NOT_KNOWN)
  }

  /** The result of a call that does not only compute. */
  #call(node) {
    const formula = this.#formulas.ofCall(node)
    const { value } = formula ?? {}
    if (value === undefined || this.#writer.isConstant(node)) return NOT_KNOWN
    const scope = this.#scopeOfCall(node, formula)
    if (scope === NOT_KNOWN) return NOT_KNOWN
    if (ts.isCallExpression(value)) return this.#forwarded(value, scope)
    return this.#writer.enclosed(value, this.#isFixed(node, scope) ? { ...scope, mayCall: true } : scope)
  }

  #scopeOfCall(node, formula) {
    return this.#writer.scopeOfCall(node, formula, OUTERMOST, (argument) => this.#write(argument))
  }

  /** A call in a formula, or what stands for that; its result counts, if it is no statement. */
  #forwarded(node, scope, isStatement = false) {
    const formula = this.#formulas.ofCall(node)
    const last = (isStatement ? formula?.effect : undefined) ?? formula?.value
    const inner = last && ts.isCallExpression(last) && this.#writer.scopeOfCall(node, formula, scope)
    return (
      (inner ? this.#forwarded(last, inner, isStatement) : NOT_KNOWN) ??
      this.#writer.result(node, scope) ??
      this.#writer.call(node, scope)
    )
  }

  #statement(node) {
    if (!ts.isCallExpression(node)) return NOT_KNOWN
    const formula = this.#formulas.ofCall(node)
    return this.#assertion(node) ?? (formula && (this.#done(node, formula) ?? this.#guarded(node, formula)))
  }

  /** An assertion is a call only when it fails. */
  #assertion(node) {
    const { expression: callee, arguments: given } = node
    const [condition, ...more] = given
    const declaration = ts.isIdentifier(callee)
      ? this.#checker.getResolvedSignature(node)?.declaration
      : undefined
    if (!condition || !declaration || !isAssertion(declaration)) return NOT_KNOWN
    if (!more.every(ts.isStringLiteralLike)) return NOT_KNOWN
    const others = more.map((each) => `, ${each.getText()}`).join('')
    return `{ if (!(${this.#write(condition)})) ${callee.text}(false${others}) }`
  }

  /** What assigns, or calls something else. */
  #done(node, formula) {
    const scope = this.#scopeOfCall(node, formula)
    if (scope === NOT_KNOWN) return NOT_KNOWN
    const { actions } = formula
    if (actions?.length === 1) return this.#action(actions[0], scope)
    if (actions !== undefined) {
      const texts = actions.map((each) => this.#action(each, scope))
      const mayFollow = this.#isFixed(node, scope) || this.#isFixedReceiver(node, formula)
      return texts.includes(NOT_KNOWN) || !mayFollow ? NOT_KNOWN : notLong(`{ ${texts.join('; ')} }`)
    }
    const last = formula.effect ?? formula.value
    return last && ts.isCallExpression(last) ? this.#forwarded(last, scope, true) : NOT_KNOWN
  }

  #action({ left, operatorToken, right }, scope) {
    return notLong(
      all`${this.#writer.text(left, scope)} ${operatorToken.getText()} ${this.#writer.text(right, scope)}`,
    )
  }

  /** Whatever is done meanwhile, all names in a call mean the same. */
  #isFixed(node, { self, names }) {
    if ([self, ...names.values()].some((text) => /[.[]/.test(text))) return false
    let settled = true
    walk(node, (each) => void (settled &&= !ts.isIdentifier(each) || isSettled(each, this.#checker)))
    return settled
  }

  /** A receiver that is a field that nobody changes, and arguments that are names or numbers; nothing is taken from them. */
  #isFixedReceiver({ expression, arguments: given }, { locals, parameters }) {
    if (locals.length > 0 || !parameters.every((each) => typeof each === 'string')) return false
    let path = expression.expression
    for (; path && ts.isPropertyAccessExpression(path); path = path.expression)
      if (!isReadonly(path, this.#checker)) return false
    const isRoot = path && (ts.isIdentifier(path) || path.kind === SyntaxKind.ThisKeyword)
    return isRoot && given.every((each) => ts.isIdentifier(each) || ts.isNumericLiteral(each))
  }

  /** What does something under a condition only is called under that condition only. */
  #guarded(node, formula) {
    if (formula.guard === undefined) return NOT_KNOWN
    const scope = this.#writer.scopeOfCall(node, formula, OUTERMOST)
    const condition = scope && notLong(this.#writer.text(formula.guard.condition, scope))
    const call = this.#writer.call(node, OUTERMOST)
    return all`{ if (${formula.guard.does ? condition : all`!(${condition})`}) ${call} }`
  }

  #assignment({ left, operatorToken, right }) {
    const isPlain = operatorToken.kind === SyntaxKind.EqualsToken
    const target = this.#target(left, !isPlain)
    if (target === NOT_KNOWN || !this.#isCalm(right)) return NOT_KNOWN
    return `${target} ${operatorToken.getText()} ${this.#write(right)}`
  }

  #update(node) {
    const target = this.#target(node.operand, true)
    const sign = ts.tokenToString(node.operator)
    return ts.isPrefixUnaryExpression(node) ? all`${sign}${target}` : all`${target}${sign}`
  }

  /** What a setter sets; if it is read too, the getter must read just that. */
  #target(node, isRead) {
    const setter = this.#formulas.setterOf(node)
    const scope = setter && this.#writer.scopeOf(node.expression, setter, OUTERMOST)
    const target = scope && this.#setBy(setter, scope)
    if (target === NOT_KNOWN || !isRead) return notLong(target)
    const getter = this.#formulas.getterOf(node)
    const inner = getter?.value && this.#writer.scopeOf(node.expression, getter, OUTERMOST)
    const value = inner && this.#writer.text(getter.value, inner)
    return value === target || value === `(${target})` ? notLong(target) : NOT_KNOWN
  }

  /** What a setter assigns its parameter to, itself or by a method. */
  #setBy({ actions, effect, parameters: [given] }, scope) {
    const known = { ...scope, names: new Map([...scope.names, [given, GIVEN]]) }
    if (actions !== undefined) return this.#assigned(actions, known)
    const formula = effect && this.#formulas.ofCall(effect)
    const inner = formula?.actions && this.#writer.scopeOfCall(effect, formula, known)
    return inner && this.#assigned(formula.actions, inner)
  }

  #assigned([{ left, operatorToken, right }, ...more], scope) {
    if (more.length > 0 || operatorToken.kind !== SyntaxKind.EqualsToken) return NOT_KNOWN
    const target = this.#writer.text(right, scope) === GIVEN ? this.#writer.text(left, scope) : NOT_KNOWN
    return target?.includes(GIVEN) ? NOT_KNOWN : target
  }

  /** It only computes, and all accessors in it are put in. */
  #isCalm(node) {
    if (this.#writer.result(node, OUTERMOST) !== NOT_KNOWN) return true
    if (isRestless(node) || this.#isAccess(node)) return false
    return !ts.forEachChild(node, (child) => !this.#isCalm(child))
  }

  #isAccess(node) {
    if (!ts.isPropertyAccessExpression(node)) return false
    return this.#checker.getSymbolAtLocation(node.name)?.declarations?.some(ts.isGetAccessor) ?? false
  }
}

/** All that it does is to throw if its first argument, that it asserts, is false. */
function isAssertion({ type, parameters: [first], body }) {
  if (!type || !ts.isTypePredicateNode(type) || !type.assertsModifier || type.type) return false
  const [statement, ...more] = body?.statements ?? []
  if (more.length > 0 || !statement || !ts.isIfStatement(statement) || statement.elseStatement) return false
  const name = first.name.getText()
  return (
    type.parameterName.getText() === name &&
    statement.expression.getText() === `!${name}` &&
    ts.isThrowStatement(statement.thenStatement)
  )
}

/** With as many lines as what it stands for, so that what follows is where it was. What follows may have to be on its line. */
function withLines(text, original) {
  const missing = original.split('\n').length - text.split('\n').length
  if (missing <= 0) return text
  const lines = '\n'.repeat(missing)
  if (isPath(text)) return `(${text}${lines})`
  return /[)}\]]$/.test(text) ? text.slice(0, -1) + lines + text.at(-1) : text + lines
}

/** With the semicolon of a statement. */
function withEnd(text, original) {
  return original.endsWith(';') && !text.endsWith('}') ? `${text};` : text
}
