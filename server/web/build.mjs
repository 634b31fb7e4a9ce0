// Builds the page and writes it as one C++ file, server/http/page_file.h's
// PageFiles. Called by CMake:
//
//   node build.mjs NPM WORK_FOLDER OUTPUT.cc AUTO|ON
//
// Packages are those of package-lock.json, no script of theirs runs, and nothing
// is written into the source tree. Same sources, same Node.js: same bytes. AUTO:
// when the packages cannot be had, the output says that there is no page.
import {spawnSync} from 'node:child_process';
import {cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {dirname, join, relative} from 'node:path';
import {fileURLToPath} from 'node:url';
import {constants, gzipSync} from 'node:zlib';

const [, , npm, work, output, wanted] = process.argv;
const source = dirname(fileURLToPath(import.meta.url));
const MAX_GZIP = 250 * 1024;  // All files together.
const TYPES = {
  html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8', svg: 'image/svg+xml', txt: 'text/plain; charset=utf-8',
};

const run = (...command) =>
  spawnSync(command[0], command.slice(1), {cwd: work, stdio: ['ignore', 'inherit', 'inherit']}).status === 0;

const copy = (name) => {
  rmSync(join(work, name), {recursive: true, force: true});
  cpSync(join(source, name), join(work, name), {recursive: true});
};

function install() {
  const lock = readFileSync(join(source, 'package-lock.json'), 'utf8');
  const done = join(work, 'node_modules/.locked');
  if (existsSync(done) && readFileSync(done, 'utf8') === lock) return true;
  if (!run(npm, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error')) return false;
  writeFileSync(done, lock);
  return true;
}

// Of the packages whose code the page has in it.
function licenses() {
  const {dependencies} = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
  return Object.entries(dependencies).map(([name, version]) => {
    const text = readFileSync(join(work, 'node_modules', name, 'LICENSE'), 'utf8');
    return `${name} ${version}\n\n${text.trim()}\n`;
  }).join('\n---\n\n');
}

const filesUnder = (folder) => readdirSync(folder, {withFileTypes: true}).flatMap(
  (entry) => entry.isDirectory() ? filesUnder(join(folder, entry.name)) : [join(folder, entry.name)]);

// Bytes as a C++ literal: octal escapes end after three digits, so nothing that
// follows is taken for a part of them.
function literal(bytes) {
  const lines = [];
  let line = '';
  for (const byte of bytes) {
    const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c && byte !== 0x3f;
    line += plain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`;
    if (line.length < 92) continue;
    lines.push(line);
    line = '';
  }
  lines.push(line);
  return lines.map((text) => `    "${text}"`).join('\n');
}

function embed(dist) {
  let all = 0;
  const files = filesUnder(dist).sort().map((file, i) => {
    const name = relative(dist, file).replaceAll('\\', '/');
    const body = readFileSync(file);
    const gzip = gzipSync(body, {level: constants.Z_BEST_COMPRESSION});
    all += gzip.length;
    const path = name === 'index.html' ? '/' : `/${name}`;
    const type = TYPES[name.split('.').pop()];
    if (type === undefined) throw new Error(`${name}: has no content type here`);
    return {i, path, type, body, gzip, immutable: name.startsWith('assets/')};
  });
  if (all > MAX_GZIP) throw new Error(`the page: must have at most ${MAX_GZIP} bytes packed, has ${all}`);
  console.log(`the page: ${files.length} files, ${all} bytes packed`);
  return `// Made by server/web/build.mjs.

#include "server/http/page_file.h"

namespace alignsae {
namespace {

${files.map(({i, body, gzip}) => `constexpr char kBody${i}[] =\n${literal(body)};
constexpr char kGzip${i}[] =\n${literal(gzip)};\n`).join('\n')}
// Without the end that a literal has.
template <size_t N>
constexpr absl::string_view Bytes(const char (&literal)[N]) {
  return absl::string_view(literal, N - 1);
}

}  // namespace

std::vector<PageFile> PageFiles() {
  return {
${files.map(({i, path, type, immutable}) =>
    `      {"${path}", "${type}", Bytes(kBody${i}),\n       Bytes(kGzip${i}), ${immutable}},`).join('\n')}
  };
}

}  // namespace alignsae
`;
}

mkdirSync(work, {recursive: true});
for (const name of ['index.html', 'package.json', 'package-lock.json', 'public', 'src', 'tsconfig.json',
                    'vite.config.ts']) {
  copy(name);
}
if (!install()) {
  if (wanted === 'ON') process.exit(1);
  console.log('warning: the packages of the page cannot be had; the server is built without it');
  writeFileSync(output, readFileSync(join(source, 'no_page.cc')));
  process.exit(0);
}
if (!run(process.execPath, 'node_modules/typescript/bin/tsc') ||
    !run(process.execPath, 'node_modules/vite/bin/vite.js', 'build', '--logLevel=warn')) {
  process.exit(1);
}
writeFileSync(join(work, 'dist/licenses.txt'), licenses());
writeFileSync(output, embed(join(work, 'dist')));
