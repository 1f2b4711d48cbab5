/**
 * How everything of ours is bundled. The bundler must leave `const` at the top of a module what it is: V8 takes the value of
 * a const for granted in compiled code, while it loads and checks a `var` each time. (esbuild makes them `var`: measured
 * 15 to 25 per cent more time for a system call, a page fault or a frame.)
 */
export function bundling(version) {
  return {
    optimization: { inlineConst: true },
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
    transform: { target: 'es2022', define: { PAGODA_VERSION: JSON.stringify(version) } },
  }
}
