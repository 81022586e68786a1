// Writes static/js/*.d.ts from the JSDoc of the client's modules, which it checks strictly as it
// does so. `make types` runs it after `npm ci` in tests/client, where TypeScript is pinned; with
// a folder as its argument it writes there.

import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const SOURCE = join(ROOT, "static", "js");
const ENTRIES = ["tandem-client", "use-chat"];
const HEADER = "// Written by `make types` from the JSDoc of";
// What these say is written below them as TypeScript.
const SPENT = /^ *\/\*\*(?:(?!\*\/)[^])*@(?:typedef|import) (?:(?!\*\/)[^])*\*\/\n/gm;
const IMPORTED = /(?:from |import\()"(\.[^"]+)\.js"/g;

const ts = createRequire(join(ROOT, "tests", "client", "package.json"))("typescript");

const OPTIONS = {
  allowJs: true,
  checkJs: true,
  declaration: true,
  emitDeclarationOnly: true,
  lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts", "lib.dom.asynciterable.d.ts"],
  module: ts.ModuleKind.NodeNext,
  newLine: ts.NewLineKind.LineFeed,
  noEmitOnError: true,
  noImplicitOverride: true,
  noUnusedLocals: true,
  strict: true,
  target: ts.ScriptTarget.ES2023,
  types: [],
};

/** Copy the modules without their declarations: TypeScript would read those in their place. */
function copyModules(folder) {
  const wanted = (path) => !path.endsWith(".d.ts");
  cpSync(join(SOURCE, "client"), join(folder, "client"), { recursive: true, filter: wanted });
  for (const name of ["package.json", ...ENTRIES.map((entry) => `${entry}.js`)]) {
    cpSync(join(SOURCE, name), join(folder, name));
  }
}

/** Return the declarations of all modules, by path without its ending. Throws what is wrong. */
function declarationsOf(folder) {
  const declarations = new Map();
  const write = (path, text) => {
    declarations.set(relative(folder, path).replace(/\.d\.ts$/, ""), text.replace(SPENT, ""));
  };
  const program = ts.createProgram(ENTRIES.map((entry) => join(folder, `${entry}.js`)), OPTIONS);
  const { diagnostics } = program.emit(undefined, write);
  const wrong = [...ts.getPreEmitDiagnostics(program), ...diagnostics];
  if (wrong.length === 0) return declarations;
  const host = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => folder, getNewLine: () => "\n" };
  throw new Error(ts.formatDiagnostics(ts.sortAndDeduplicateDiagnostics(wrong), host));
}

/** Return the modules whose declarations an entry's user can come to see. */
function published(declarations) {
  const found = new Set(ENTRIES);
  for (const module of found) { // those that are added are visited too
    for (const [, path] of declarations.get(module).matchAll(IMPORTED)) {
      found.add(join(dirname(module), path));
    }
  }
  return [...found];
}

function make(target) {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), "tandem-types-"));
  try {
    copyModules(folder);
    const declarations = declarationsOf(folder);
    for (const module of published(declarations)) {
      const path = join(target, `${module}.d.ts`);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, `${HEADER} ${module}.js.\n\n${declarations.get(module)}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

try {
  make(resolve(process.argv[2] ?? SOURCE));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
