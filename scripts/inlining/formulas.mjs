import ts from 'typescript'
import { formulaOf } from './formula.mjs'
import { isHidden, isOptional, walk } from './syntax.mjs'

/** What is known of the functions, methods and accessors of a program, where it is certain which one is meant. */
export class Formulas {
  #checker
  /** Declarations of members that a subclass has too. */
  #overridden = new Set()
  /** By declaration; null for what has none. */
  #known = new Map()

  constructor(program) {
    this.#checker = program.getTypeChecker()
    for (const file of program.getSourceFiles())
      if (!file.isDeclarationFile) walk(file, (node) => ts.isClassLike(node) && this.#noteOverridden(node))
  }

  getterOf(node) {
    return this.#ofMember(node, ts.isGetAccessor)
  }

  setterOf(node) {
    return this.#ofMember(node, ts.isSetAccessor)
  }

  ofCall({ expression }) {
    if (ts.isPropertyAccessExpression(expression)) return this.#ofMember(expression, ts.isMethodDeclaration)
    if (!ts.isIdentifier(expression)) return undefined
    let symbol = this.#checker.getSymbolAtLocation(expression)
    if (symbol !== undefined && symbol.flags & ts.SymbolFlags.Alias)
      symbol = this.#checker.getAliasedSymbol(symbol)
    const [declaration, ...more] = symbol?.declarations ?? []
    if (declaration === undefined || more.length > 0 || !ts.isFunctionDeclaration(declaration))
      return undefined
    return this.#of(declaration)
  }

  #ofMember(node, isKind) {
    if (!ts.isPropertyAccessExpression(node) || isOptional(node)) return undefined
    const declarations = this.#checker.getSymbolAtLocation(node.name)?.declarations ?? []
    const declaration = declarations.find(isKind)
    if (declaration === undefined || !ts.isClassLike(declaration.parent)) return undefined
    if (declarations.some((each) => each.parent !== declaration.parent || this.#overridden.has(each)))
      return undefined
    return this.#isInstance(node.expression) && this.#isNominal(declaration.parent)
      ? this.#of(declaration)
      : undefined
  }

  #of(declaration) {
    let formula = this.#known.get(declaration)
    if (formula === undefined) {
      formula = formulaOf(declaration, this.#checker) ?? null
      this.#known.set(declaration, formula)
    }
    return formula ?? undefined
  }

  /** Its type is a class, and not one with some of its members (`Pick`). */
  #isInstance(node) {
    const type = this.#checker.getApparentType(
      this.#checker.getNonNullableType(this.#checker.getTypeAtLocation(node)),
    )
    const declaration = type.symbol?.valueDeclaration
    return declaration !== undefined && ts.isClassLike(declaration)
  }

  /** Whatever has its members is not taken for it: one of them is private or protected. */
  #isNominal(declaration) {
    const isHiding = (type) => type.symbol?.valueDeclaration?.members?.some(isHidden)
    return [...this.#withBases(this.#checker.getTypeAtLocation(declaration))].some(isHiding)
  }

  *#withBases(type) {
    // What a generic base is made of has the bases.
    for (let each = type; each !== undefined; each = (each.target ?? each).getBaseTypes?.()?.[0]) yield each
  }

  #noteOverridden(node) {
    const [, ...bases] = this.#withBases(this.#checker.getTypeAtLocation(node))
    for (const { symbol } of bases)
      for (const { name } of node.members)
        for (const declaration of symbol?.members?.get(name?.escapedText)?.declarations ?? [])
          this.#overridden.add(declaration)
  }
}
