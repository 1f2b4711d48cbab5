import ts from 'typescript'
import { plainName } from '../plain-members.mjs'
import { isAssignment, isAtTop, isField, isOptional, isPath, isTarget, isUpdate } from './syntax.mjs'

const { SyntaxKind } = ts

export const NOT_KNOWN = undefined

/** The scope of what stands in the text itself. */
export const OUTERMOST = { isOutermost: true, depth: 0 }
/** So many formulas in formulas: one may call itself. */
const DEEPEST = 8

/** What is longer is not put in: it stands in the text as often as it is called. (With 160 and 240 programs take as long, and the scripts are larger.) */
const LONGEST = 100
/** What is shorter may be evaluated twice. */
const SHORT = 24
/** So many fields more may be read where `this` was. */
const READS = 2

export const notLong = (text) => (text !== NOT_KNOWN && text.length <= LONGEST ? text : NOT_KNOWN)

const isNumber = (text) => /^\d/.test(text)

/** A template; not known if one of its parts is not. */
export const all = (strings, ...parts) =>
  parts.includes(NOT_KNOWN) ? NOT_KNOWN : String.raw({ raw: strings }, ...parts)

/**
 * Writes expressions that only compute, with what accessors, methods and functions return in their places. A scope says what names mean: `self` is what
 * `this` stands for, `names` what parameters and constants do, `file` where the expression is from, `depth` in how many formulas; `mayCall`: calls may stay in it. What is NOT_KNOWN
 * may do something, or has names that are not known where it is to stand.
 */
export class Writer {
  #checker
  #formulas
  #constants

  constructor(checker, formulas, constants) {
    this.#checker = checker
    this.#formulas = formulas
    this.#constants = constants
  }

  text(node, scope) {
    if (ts.isAsExpression(node) || ts.isNonNullExpression(node) || ts.isSatisfiesExpression(node))
      return this.text(node.expression, scope)
    switch (node.kind) {
      case SyntaxKind.NumericLiteral:
      case SyntaxKind.TrueKeyword:
      case SyntaxKind.FalseKeyword:
        return node.getText()
      case SyntaxKind.ThisKeyword:
        return scope.self ?? 'this'
      case SyntaxKind.ParenthesizedExpression:
        return all`(${this.text(node.expression, scope)})`
    }
    return this.#constant(node, scope) ?? this.#operation(node, scope) ?? this.#access(node, scope)
  }

  #operation(node, scope) {
    if (ts.isPrefixUnaryExpression(node) && !isUpdate(node))
      return all`${ts.tokenToString(node.operator)} ${this.text(node.operand, scope)}`
    if (ts.isConditionalExpression(node)) {
      const [condition, yes, no] = [node.condition, node.whenTrue, node.whenFalse].map((each) =>
        this.text(each, scope),
      )
      return all`${condition} ? ${yes} : ${no}`
    }
    if (!ts.isBinaryExpression(node) || isAssignment(node)) return NOT_KNOWN
    if (node.operatorToken.kind === SyntaxKind.CommaToken) return NOT_KNOWN
    return all`${this.text(node.left, scope)} ${node.operatorToken.getText()} ${this.text(node.right, scope)}`
  }

  #access(node, scope) {
    if (ts.isIdentifier(node)) return this.#identifier(node, scope)
    if (ts.isElementAccessExpression(node) && !isOptional(node))
      return all`${this.text(node.expression, scope)}[${this.text(node.argumentExpression, scope)}]`
    if (ts.isPropertyAccessExpression(node)) return this.result(node, scope) ?? this.#field(node, scope)
    if (!ts.isCallExpression(node)) return NOT_KNOWN
    return this.result(node, scope) ?? (scope.mayCall ? this.call(node, scope) : NOT_KNOWN)
  }

  #identifier({ text }, { isOutermost, names }) {
    return text === 'undefined' || isOutermost ? text : names.get(text)
  }

  /** A number where that is known; in the outermost text it is put in later. */
  #constant(node, { isOutermost, names, file }) {
    if (isOutermost) return this.isConstant(node) ? node.getText() : NOT_KNOWN
    const value = this.#constants.valueOf(node.getText(), file, names)
    if (typeof value !== 'number') return NOT_KNOWN
    return value < 0 ? `(${value})` : `${value}`
  }

  isConstant(node) {
    let name = node
    while (ts.isPropertyAccessExpression(name) || ts.isCallExpression(name)) name = name.expression
    const [declaration] =
      (ts.isIdentifier(name) && this.#checker.getSymbolAtLocation(name)?.declarations) || []
    if (declaration === undefined || !isAtTop(declaration)) return false
    return this.#constants.valueOf(node.getText(), node.getSourceFile().fileName) !== undefined
  }

  #field(node, scope) {
    if (isOptional(node)) return NOT_KNOWN
    const [declaration] = this.#checker.getSymbolAtLocation(node.name)?.declarations ?? []
    if (declaration === undefined || !isField(declaration)) return NOT_KNOWN
    const object = this.text(node.expression, scope)
    return isNumber(object) ? NOT_KNOWN : all`${object}.${this.#memberName(node)}`
  }

  /** What the bundle calls a member. */
  #memberName({ name }) {
    if (!ts.isPrivateIdentifier(name)) return name.text
    const [declaration] = this.#checker.getSymbolAtLocation(name)?.declarations ?? []
    return declaration && plainName(name.text.slice(1), declaration.getSourceFile().fileName)
  }

  /** What an accessor, method or function returns, in parentheses if it needs any. */
  result(node, scope) {
    if (ts.isPropertyAccessExpression(node) && !isTarget(node)) {
      const getter = this.#formulas.getterOf(node)
      return getter?.value && this.enclosed(getter.value, this.scopeOf(node.expression, getter, scope))
    }
    if (!ts.isCallExpression(node) || this.isConstant(node)) return NOT_KNOWN
    const formula = this.#formulas.ofCall(node)
    return formula?.value && this.enclosed(formula.value, this.scopeOfCall(node, formula, scope))
  }

  enclosed(node, scope) {
    const text = scope && this.text(node, scope)
    return text && notLong(isPath(text) && !isNumber(text) ? text : `(${text})`)
  }

  /** A call of a method as such, with all that only computes. */
  call(node, scope) {
    const callee = node.expression
    if (isOptional(node) || !ts.isPropertyAccessExpression(callee)) return NOT_KNOWN
    const object = this.text(callee.expression, scope)
    const given = node.arguments.map((each) => this.text(each, scope))
    if (object === NOT_KNOWN || !isPath(object) || isNumber(object) || given.includes(NOT_KNOWN))
      return NOT_KNOWN
    return notLong(all`${object}.${this.#memberName(callee)}(${given.join(', ')})`)
  }

  /** The scope of an accessor's formula. */
  scopeOf(receiver, formula, outer) {
    const self = this.#selfOf(receiver, formula, outer)
    return (
      self &&
      this.#withLocals(formula, { self, names: new Map(), file: formula.file, depth: outer.depth + 1 })
    )
  }

  /**
   * The scope of the formula of what is called. `write` writes an argument that may do something, for a formula that does not see it; without, there must
   * be none.
   */
  scopeOfCall(node, formula, outer, write = () => NOT_KNOWN) {
    const given = node.arguments
    if (isOptional(node) || given.length !== formula.parameters.length || given.some(ts.isSpreadElement))
      return NOT_KNOWN
    const callee = node.expression
    const isMethod = ts.isPropertyAccessExpression(callee)
    if (outer.depth >= DEEPEST) return NOT_KNOWN
    const self = isMethod ? this.#selfOf(callee.expression, formula, outer) : 'this'
    const names = new Map()
    // What is called in an argument would be evaluated at another time.
    const pure = { ...outer, mayCall: false }
    for (const [i, argument] of given.entries()) {
      const text = this.text(argument, pure) ?? (formula.isStable ? write(argument) : NOT_KNOWN)
      if (text === NOT_KNOWN || !this.#addArgument(names, formula, formula.parameters[i], text))
        return NOT_KNOWN
    }
    return self && this.#withLocals(formula, { self, names, file: formula.file, depth: outer.depth + 1 })
  }

  #selfOf(receiver, { uses }, outer) {
    if (outer.depth >= DEEPEST || receiver.kind === SyntaxKind.SuperKeyword) return NOT_KNOWN
    const self = this.text(receiver, { ...outer, mayCall: false })
    if (self === NOT_KNOWN || !isPath(self)) return NOT_KNOWN
    const fields = self.split('.').length - 1
    return (uses.get('this') ?? 0) * fields <= READS ? self : NOT_KNOWN
  }

  #addArgument(names, { uses }, parameter, text) {
    if (typeof parameter === 'string') {
      if (!isPath(text) && (uses.get(parameter) ?? 0) > 1) return false
      names.set(parameter, isPath(text) ? text : `(${text})`)
      return true
    }
    for (const { name, propertyName } of parameter.elements) {
      const field = this.#fieldOf(text, parameter, propertyName ?? name)
      if (field === NOT_KNOWN) return false
      names.set(name.text, field)
    }
    return true
  }

  #withLocals({ locals, uses }, scope) {
    const { names } = scope
    for (const { name, value, field } of locals) {
      const whole = this.text(value, scope)
      const text = field === undefined ? whole : this.#fieldOf(whole, value, field)
      const isTwice = uses.get(name) > 1 && !isPath(text)
      // An element of an array may be another one the second time: other harts write too.
      if (text === NOT_KNOWN || (isTwice && (text.length > SHORT || text.includes('[')))) return NOT_KNOWN
      names.set(name, isPath(text) ? text : `(${text})`)
    }
    return scope
  }

  /** What a pattern takes out of a value. */
  #fieldOf(whole, value, { text }) {
    const [declaration] = this.#checker.getTypeAtLocation(value).getProperty(text)?.declarations ?? []
    return whole && declaration && isField(declaration) && isPath(whole) ? `${whole}.${text}` : NOT_KNOWN
  }
}
