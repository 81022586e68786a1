// Writes static/vendor from node_modules, as recipe.mjs says, with its manifest. `make vendor` runs it
// after `npm ci`; whatever else is in static/vendor is removed.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { buildSync } from "esbuild";

import { RECIPE } from "./recipe.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const MODULES = join(HERE, "node_modules");
const VENDOR = join(HERE, "..", "..", "static", "vendor");
const LICENCE_FILE = /^licen[sc]e/i;

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

/** What comes as CommonJS only (React, its production build), or in parts, as one module. */
function bundled(entry) {
  const built = buildSync({
    absWorkingDir: HERE,
    entryPoints: [entry],
    bundle: true,
    define: { "process.env.NODE_ENV": '"production"' },
    format: "esm",
    legalComments: "inline",
    minify: true,
    target: "es2022",
    write: false,
  });
  return built.outputFiles[0].text;
}

function copied(name, source, change) {
  const bytes = readFileSync(join(MODULES, name, source));
  return change ? change(bytes.toString("utf8")) : bytes;
}

function licenceText(name) {
  const folder = join(MODULES, name);
  const file = readdirSync(folder).find((one) => LICENCE_FILE.test(one));
  if (!file) throw new Error(`${name} has no licence file`);
  const { version } = readJson(join(folder, "package.json"));
  return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
}

function contentsOf({ package: name, files = {}, bundle = {}, change, texts }) {
  const contents = {};
  for (const [file, source] of Object.entries(files)) contents[file] = copied(name, source, change);
  for (const [file, entry] of Object.entries(bundle)) contents[file] = bundled(entry);
  const licence = `licenses/${name.replace(/^@/, "").replace("/", "-")}.txt`;
  if (texts.length) contents[licence] = texts.map(licenceText).join(`\n${"-".repeat(80)}\n\n`);
  return contents;
}

function write(file, content) {
  const path = join(VENDOR, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return createHash("sha256").update(content).digest("hex");
}

function entriesOf(item) {
  const { version, license } = readJson(join(MODULES, item.package, "package.json"));
  const about = { package: item.package, version, licence: license };
  return Object.entries(contentsOf(item)).map(([file, content]) => (
    { file, ...about, sha256: write(file, content) }
  ));
}

rmSync(VENDOR, { recursive: true, force: true });
const manifest = RECIPE.flatMap(entriesOf);
write("manifest.json", `${JSON.stringify(manifest, null, 2)}\n`);
console.log(`${manifest.length} files in static/vendor`);
