import ts from 'typescript'
import { hasModifier, isAssignment, isAtTop, isPlainPattern, isReadonly, walk } from './syntax.mjs'

const { SyntaxKind } = ts

/**
 * What a function, method or accessor does, if it is little; undefined if it is more. `parameters` (a name or a pattern each), `locals` (constants
 * that it begins with), `uses` (how often each name is mentioned) and one of these:
 *
 *     value     expression that it returns
 *     effect    call that it makes
 *     actions   assignments
 *     guard     { condition, does }: it does something only if the condition is as `does` says; what it does is more
 */
export function formulaOf(declaration, checker) {
  const { body, parameters } = declaration
  const statements = [...(body?.statements ?? [])]
  const outermost = ts.isClassLike(declaration.parent) ? declaration.parent : declaration
  if (statements.length === 0 || !isPlain(declaration) || !isAtTop(outermost)) return undefined
  const formula = {
    file: declaration.getSourceFile().fileName,
    parameters: parameters.map(({ name }) => (ts.isIdentifier(name) ? name.text : name)),
    locals: [],
    uses: new Map(),
  }
  const guard = guardOf(statements)
  if (guard !== undefined) return { ...withUses(formula, [guard.condition]), guard }
  while (ts.isVariableStatement(statements[0]) && statements.length > 1) {
    const locals = localsOf(statements.shift())
    if (locals === undefined) return undefined
    formula.locals.push(...locals)
  }
  const does = bodyOf(statements)
  if (does === undefined) return undefined
  withUses(formula, [...formula.locals.map(({ value }) => value), ...statements])
  return { ...formula, ...does, isStable: isStable(does, formula, checker) }
}

/** Neither static, asynchronous nor a generator, and no parameter is optional. */
function isPlain({ asteriskToken, parameters, ...declaration }) {
  return (
    !asteriskToken &&
    !hasModifier(declaration, SyntaxKind.StaticKeyword, SyntaxKind.AsyncKeyword) &&
    parameters.every(
      ({ name, initializer, dotDotDotToken, questionToken }) =>
        (ts.isIdentifier(name) || isPlainPattern(name)) && !initializer && !dotDotDotToken && !questionToken,
    )
  )
}

function withUses(formula, trees) {
  const { uses } = formula
  for (const tree of trees)
    walk(tree, (node) => {
      const name =
        node.kind === SyntaxKind.ThisKeyword ? 'this' : ts.isIdentifier(node) ? node.text : undefined
      if (name !== undefined) uses.set(name, (uses.get(name) ?? 0) + 1)
    })
  return formula
}

function guardOf([statement, ...more]) {
  if (!ts.isIfStatement(statement) || statement.elseStatement) return undefined
  const { expression: condition, thenStatement } = statement
  const then = ts.isBlock(thenStatement) ? thenStatement.statements : [thenStatement]
  const isReturn = then.length === 1 && ts.isReturnStatement(then[0]) && !then[0].expression
  if (more.length === 0) return isReturn ? undefined : { condition, does: true }
  return isReturn ? { condition, does: false } : undefined
}

/** Of `const a = value` and `const { b, c: d } = value`: the name, the value, and which of its fields. */
function localsOf({ declarationList: { flags, declarations } }) {
  if ((flags & ts.NodeFlags.BlockScoped) !== ts.NodeFlags.Const) return undefined
  if (!declarations.every(({ name }) => ts.isIdentifier(name) || isPlainPattern(name))) return undefined
  return declarations.flatMap(({ name, initializer: value }) =>
    ts.isIdentifier(name)
      ? { name: name.text, value }
      : name.elements.map((each) => ({ name: each.name.text, value, field: each.propertyName ?? each.name })),
  )
}

/** An assignment, but not to a parameter or constant of its own. */
const isAction = ({ kind, expression }) =>
  kind === SyntaxKind.ExpressionStatement && isAssignment(expression) && !ts.isIdentifier(expression.left)

function bodyOf(statements) {
  if (statements.every(isAction)) return { actions: statements.map(({ expression }) => expression) }
  const [{ kind, expression }] = statements
  if (statements.length > 1 || !expression) return undefined
  if (kind === SyntaxKind.ReturnStatement) return { value: expression }
  return kind === SyntaxKind.ExpressionStatement && ts.isCallExpression(expression)
    ? { effect: expression }
    : undefined
}

const BRANCHING = [
  SyntaxKind.AmpersandAmpersandToken,
  SyntaxKind.BarBarToken,
  SyntaxKind.QuestionQuestionToken,
]

const isBranching = (node) =>
  ts.isConditionalExpression(node) ||
  (ts.isBinaryExpression(node) && BRANCHING.includes(node.operatorToken.kind))

/**
 * Evaluated with its arguments it is the same as after them: it reads or writes one element of an array at last, and before only fields that are given their
 * values once; each argument is used once, in their order and whatever they are, and the receiver before them.
 */
function isStable({ value, actions = [] }, { parameters, locals }, checker) {
  const whole = ts.skipOuterExpressions(value ?? actions[0] ?? {})
  if (whole.kind === undefined || actions.length > 1 || locals.length > 0) return false
  const isWrite = isAssignment(whole)
  if (isWrite && !(whole.operatorToken.kind === SyntaxKind.EqualsToken && ts.isIdentifier(whole.right)))
    return false
  const element = ts.skipOuterExpressions(isWrite ? whole.left : whole)
  if (!ts.isElementAccessExpression(element)) return false
  const used = []
  let stable = true
  walk(whole, (node) => {
    if (ts.isIdentifier(node) && parameters.includes(node.text) && node.parent.name !== node)
      used.push(node.text)
    if (ts.isPropertyAccessExpression(node)) stable &&= isReadonly(node, checker)
    else if (ts.isElementAccessExpression(node)) stable &&= node === element
    else if (node.kind === SyntaxKind.ThisKeyword) stable &&= used.length === 0
    else if (ts.isCallExpression(node) || isBranching(node)) stable = false
  })
  return stable && used.join() === parameters.join()
}
