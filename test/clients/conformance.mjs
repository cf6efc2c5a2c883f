// The conformance suite of MCP (@modelcontextprotocol/conformance), under Node 20 too: its file imports fs.globSync, which
// Node has from 22 on, for a command that no test runs.
//
//   node conformance.mjs server --url URL --scenario NAME -o DIR
import { register } from 'node:module'

const fs = 'export * from "node:fs"; export { default } from "node:fs"; export const globSync = undefined'
const hook = `export const resolve = (name, context, next) =>
  name === 'fs' && context.parentURL?.includes('/@modelcontextprotocol/conformance/')
    ? { shortCircuit: true, url: ${JSON.stringify('data:text/javascript,' + encodeURIComponent(fs))} }
    : next(name, context)`
register('data:text/javascript,' + encodeURIComponent(hook))
await import('./node_modules/@modelcontextprotocol/conformance/dist/index.js')
