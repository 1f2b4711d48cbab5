// Questions about one node of a syntax tree.
import ts from 'typescript'

const { SyntaxKind } = ts

export function walk(node, visit) {
  visit(node)
  ts.forEachChild(node, (child) => walk(child, visit))
}

/** A name, or fields of fields of it: evaluated twice it costs little. */
export const isPath = (text) => /^[\w$.]+$/.test(text)

export const isOptional = (node) => (node.flags & ts.NodeFlags.OptionalChain) !== 0

export const isAssignment = (node) =>
  ts.isBinaryExpression(node) &&
  node.operatorToken.kind >= SyntaxKind.FirstAssignment &&
  node.operatorToken.kind <= SyntaxKind.LastAssignment

/** `x++` and the like. */
export const isUpdate = (node) =>
  ts.isPostfixUnaryExpression(node) ||
  (ts.isPrefixUnaryExpression(node) &&
    (node.operator === SyntaxKind.PlusPlusToken || node.operator === SyntaxKind.MinusMinusToken))

/** What may stand between a target and the assignment. */
const AROUND_TARGETS = new Set([
  SyntaxKind.ParenthesizedExpression,
  SyntaxKind.NonNullExpression,
  SyntaxKind.AsExpression,
  SyntaxKind.SatisfiesExpression,
  SyntaxKind.TypeAssertionExpression,
  SyntaxKind.ArrayLiteralExpression,
  SyntaxKind.ObjectLiteralExpression,
  SyntaxKind.PropertyAssignment,
  SyntaxKind.SpreadElement,
  SyntaxKind.SpreadAssignment,
])

/** Something is assigned to it, also in a pattern, or it is called, deleted or a tag. */
export function isTarget(node) {
  let inner = node
  let { parent } = node
  for (; AROUND_TARGETS.has(parent.kind); parent = parent.parent) inner = parent
  if (ts.isBinaryExpression(parent)) return parent.left === inner && isAssignment(parent)
  if (ts.isForOfStatement(parent) || ts.isForInStatement(parent)) return parent.initializer === inner
  if (ts.isCallExpression(parent) || ts.isNewExpression(parent)) return parent.expression === inner
  return isUpdate(parent) || ts.isDeleteExpression(parent) || ts.isTaggedTemplateExpression(parent)
}

/** A parenthesis in its place would go on with the line before. */
export function beginsStatement(node) {
  const start = node.getStart()
  for (let above = node; above !== undefined && above.getStart() === start; above = above.parent)
    if (ts.isExpressionStatement(above)) return true
  return false
}

/** It may do something, or is evaluated later. */
export const isRestless = (node) =>
  ts.isCallExpression(node) ||
  ts.isNewExpression(node) ||
  ts.isAwaitExpression(node) ||
  ts.isYieldExpression(node) ||
  ts.isDeleteExpression(node) ||
  ts.isFunctionLike(node) ||
  ts.isTaggedTemplateExpression(node) ||
  isUpdate(node) ||
  isAssignment(node)

export const hasModifier = ({ modifiers }, ...kinds) =>
  modifiers?.some(({ kind }) => kinds.includes(kind)) ?? false

/** A member that makes its class one that nothing else is taken for. */
export const isHidden = (member) =>
  (member.name && ts.isPrivateIdentifier(member.name)) ||
  hasModifier(member, SyntaxKind.PrivateKeyword, SyntaxKind.ProtectedKeyword)

export const isField = (declaration) =>
  ts.isPropertyDeclaration(declaration) ||
  ts.isPropertySignature(declaration) ||
  ts.isPropertyAssignment(declaration) ||
  ts.isParameterPropertyDeclaration(declaration, declaration.parent)

/** The field that a node names is given its value once. What an interface calls readonly is so whatever has it, by custom. */
export function isReadonly({ name }, checker) {
  const [declaration] = checker.getSymbolAtLocation(name)?.declarations ?? []
  if (declaration === undefined || !isField(declaration)) return false
  return ts.isPropertyAssignment(declaration)
    ? ts.isAsExpression(declaration.parent.parent) && declaration.parent.parent.type.getText() === 'const'
    : hasModifier(declaration, SyntaxKind.ReadonlyKeyword)
}

/** It is in no function, block or class of its file. */
export function isAtTop({ parent }) {
  for (let above = parent; !ts.isSourceFile(above); above = above.parent)
    if (ts.isFunctionLike(above) || ts.isBlock(above) || ts.isClassLike(above)) return false
  return true
}

/** What the name stands for is not changed by a function that is called: a constant, or a variable that only its own function assigns to. */
export function isSettled(identifier, checker) {
  const declaration = checker.getSymbolAtLocation(identifier)?.valueDeclaration
  if (declaration === undefined || !(ts.isVariableDeclaration(declaration) || ts.isParameter(declaration)))
    return true
  if (ts.getCombinedNodeFlags(declaration) & ts.NodeFlags.Const) return true
  const home = ts.findAncestor(declaration.parent, (node) => ts.isFunctionLike(node) || ts.isSourceFile(node))
  let settled = true
  walk(home, (node) => {
    const target = isAssignment(node) ? node.left : isUpdate(node) ? node.operand : undefined
    if (
      target === undefined ||
      ts.findAncestor(node.parent, (each) => ts.isFunctionLike(each) || ts.isSourceFile(each)) === home
    )
      return
    walk(target, (each) => void (settled &&= !(ts.isIdentifier(each) && each.text === identifier.text)))
  })
  return settled
}

/** `{ a, b: c }`: neither defaults nor patterns in it. */
export const isPlainPattern = (name) =>
  ts.isObjectBindingPattern(name) &&
  name.elements.every(
    ({ name, propertyName, initializer, dotDotDotToken }) =>
      ts.isIdentifier(name) &&
      (!propertyName || ts.isIdentifier(propertyName)) &&
      !initializer &&
      !dotDotDotToken,
  )
