// What a visitor and a watcher do with the page, in a real Chromium; what they see goes out as
// JSON for page_test.py to compare.
//
//   node page_scenes.mjs SCENE URL PICTURES    waits for a line on stdin where a scene says so
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {createInterface} from 'node:readline/promises';

const [, , scene, url, pictures] = process.argv;
const require = createRequire(join(process.cwd(), 'x.js'));
const {chromium} = require('playwright-core');
const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage']});
const seen = {requests: [], complaints: []};
const context = await browser.newContext({
  viewport: {width: 1000, height: 900}, locale: 'en', timezoneId: 'UTC',
  permissions: ['clipboard-read', 'clipboard-write']});
const page = await context.newPage();
page.setDefaultTimeout(30000);
page.on('request', (request) => seen.requests.push([request.method(), request.url(), request.postData()]));
page.on('console', (message) => {
  if (['error', 'warning'].includes(message.type())) seen.complaints.push(message.text());
});
page.on('pageerror', (error) => seen.complaints.push(error.message));

const stdin = createInterface({input: process.stdin});
const lines = stdin[Symbol.asyncIterator]();
// Tells the test that it is its turn, and waits for its answer.
const turn = async (name) => {
  process.stdout.write(`${JSON.stringify({turn: name})}\n`);
  await lines.next();
};
const texts = (selector) => page.locator(selector).allInnerTexts();
const picture = (name, options = {}) => page.screenshot({path: join(pictures, `${name}.png`), ...options});
// From the top down to the end of the last of these.
const pictureDownTo = async (name, selector) => {
  const {width} = page.viewportSize();
  const height = await page.locator(selector).last().evaluate((at) => Math.ceil(at.getBoundingClientRect().bottom + scrollY + 16));
  await picture(name, {clip: {x: 0, y: 0, width, height}, fullPage: true});
};
const open = (view = '') => page.goto(url + view);
const ready = () => page.waitForSelector('.bars li');
const steered = (target = 'employer', alpha = 1) =>
  page.waitForSelector(`.steer[data-phase="done"][data-answered$=">${target}@${alpha}"]`);
const use = (concept) => page.locator(`.bars li[data-concept="${concept}"] .use`).click();
const drag = (from, to) => page.locator(`.bars li[data-concept="${from}"]`).dragTo(page.locator(`.bars li[data-concept="${to}"]`));
const ask = async (question) => {
  await page.fill('#question', question);
  await page.keyboard.press('Enter');
  await page.waitForFunction((text) => document.querySelector('.bars li') &&
    document.querySelector('#question').value === text && !document.querySelector('.ask [aria-busy="true"]'), question);
};

const bars = () => page.$$eval('.bars li', (rows) => rows.map((row) => ({
  name: row.dataset.concept, value: Number(row.dataset.value), shown: row.querySelector('.value').textContent})));
const heat = () => page.$$eval('.heat tbody tr', (rows) => rows.map((row) => ({
  name: row.dataset.concept, values: [...row.querySelectorAll('td')].map((cell) => Number(cell.dataset.value))})));
const answers = () => page.$$eval('.answer', (columns) => columns.map((column) => ({
  title: column.querySelector('h3').textContent, text: column.querySelector('.text').dataset.text,
  shown: column.querySelector('.text').innerText,
  marked: [...column.querySelectorAll('mark')].map((mark) => mark.textContent)})));

// What axe finds serious or critical, in words.
async function axe(name) {
  await page.evaluate(axeSource);
  const {violations} = await page.evaluate(() => axe.run(document, {resultTypes: ['violations']}));
  return violations.map(({id, impact, nodes}) => ({
    where: name, id, impact, nodes: nodes.slice(0, 3).map((node) => node.html.slice(0, 160))}));
}

const SCENES = {
  async visit() {
    const began = Date.now();
    await open();
    await ready();
    seen.read_ms = Date.now() - began;
    seen.paint_ms = await page.evaluate(() =>
      Math.round(performance.getEntriesByName('first-contentful-paint')[0].startTime));
    await ask(process.env.QUESTION);
    seen.bars = await bars();
    seen.heat = await heat();
    seen.verdict = (await texts('.slots .verdict'))[0];
    await drag('employer', seen.bars.find((row) => row.value === Math.max(...seen.bars.map((one) => one.value))).name);
    await steered();
    seen.answers = await answers();
    seen.receipt = await texts('.receipt li');
    seen.certificate = await texts('.certificate li');
    seen.hint = (await texts('#alpha-hint'))[0];
    await pictureDownTo('explore', '.steer');
    seen.before_slider = seen.requests.length;
    await page.fill('#alpha', '0.1');
    await steered('employer', 0.1);
    seen.weaker = await answers();
    await page.fill('#alpha', '1');
    await steered();
    await page.getByRole('button', {name: 'Sweep the strength'}).click();
    await page.waitForSelector('.dose[data-phase="done"]');
    seen.doses = await page.$$eval('.dose tbody tr', (rows) => rows.map((row) => ({
      alpha: Number(row.dataset.alpha), cells: [...row.querySelectorAll('td')].map((cell) => cell.textContent)})));
    await page.getByRole('button', {name: 'Swap every pair'}).click();
    await page.waitForSelector('.matrix[data-phase="done"]');
    seen.matrix = await page.$$eval('.matrix td[data-pair]', (cells) =>
      Object.fromEntries(cells.map((cell) => [cell.dataset.pair, cell.textContent])));
    seen.commands = {};
    for (const kind of ['curl', 'Python', 'CLI']) {
      await page.locator('.copy').getByRole('button', {name: kind, exact: true}).click();
      await page.locator('.copy').getByRole('button', {name: 'Copy', exact: true}).click();
      await page.waitForFunction(() => document.querySelector('.copy [role=status]').textContent !== '');
      seen.commands[kind] = await page.evaluate(() => navigator.clipboard.readText());
    }
    await picture('explore-whole', {fullPage: true});
    seen.axe = await axe('light');
    await page.emulateMedia({colorScheme: 'dark'});
    await picture('explore-dark', {fullPage: true});
    seen.axe.push(...await axe('dark'));
    await page.setViewportSize({width: 360, height: 740});
    await picture('explore-dark-360', {fullPage: true});
    await page.emulateMedia({colorScheme: 'light'});
    await picture('explore-360', {fullPage: true});
    seen.width = await page.evaluate(() => document.documentElement.scrollWidth);
    seen.axe.push(...await axe('360'));
  },

  async keyboard() {
    await open();
    await ready();
    const focused = () => page.evaluate(() => {
      const at = document.activeElement;
      return at.getAttribute('aria-label') || at.id || at.textContent;
    });
    seen.order = [];
    for (let i = 0; i < 60; ++i) {
      await page.keyboard.press('Tab');
      const at = await focused();
      seen.order.push(at);
      if (at.startsWith('use it: employer')) break;
    }
    await page.keyboard.press('Enter');
    await steered();
    seen.answers = await answers();
    while (await focused() !== 'alpha') await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowRight');
    await steered('employer', 1.05);
    seen.alpha = await page.inputValue('#alpha');
  },

  async failure() {
    await open();
    await ready();
    await page.fill('#question', 'who '.repeat(2000));
    await page.keyboard.press('Enter');
    seen.alert = await page.getByRole('alert').innerText();
    await ask(process.env.QUESTION);
    seen.alerts = await page.getByRole('alert').count();
  },

  // The server wants to know who asks.
  async token() {
    await open();
    seen.alert = await page.getByRole('alert').innerText();
    seen.axe = await axe('token');
    const give = async (token) => {
      await page.fill('#token', token);
      await page.keyboard.press('Enter');
    };
    await give('wrong');
    await page.waitForFunction(() => document.querySelector('[role=alert]').textContent.includes('list'));
    await give(process.env.TOKEN);
    await ready();
    seen.fields = await page.locator('#token').count();
    await use('employer');
    await steered();
    seen.answers = await answers();
    await use('major');
    await page.waitForSelector('.steer[data-phase="failed"]');
    seen.refused = await page.locator('.steer [role=alert]').innerText();
    seen.copy = await page.locator('.copy pre').innerText();
    seen.address = page.url();
    seen.stored = await page.evaluate(() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie]));
    await open('#watch');
    await page.reload();
    await page.waitForSelector('#token');
  },

  // The server is slow in this one.
  async cancel() {
    await open();
    await ready();
    await use('employer');
    await page.waitForSelector('.steer[data-phase="running"]');
    await turn('answering');
    await page.locator('.steer').getByRole('button', {name: 'Stop'}).click();
    await page.waitForSelector('.steer[data-phase="stopped"]');
    await turn('stopped');
    await page.getByRole('button', {name: 'Sweep the strength'}).click();
    await page.waitForSelector('.dose[data-phase="running"]');
    await turn('sweeping');
    await page.locator('.dose').getByRole('button', {name: 'Stop'}).click();
    await page.waitForSelector('.dose[data-phase="stopped"]');
    await turn('stopped');
    await page.getByRole('button', {name: 'Swap every pair'}).click();
    await page.waitForSelector('.matrix[data-phase="running"]');
    await turn('swapping');
    await page.close();
    await turn('closed');
  },

  async restart() {
    await open();
    await ready();
    await turn('there');
    await page.getByRole('button', {name: 'Read'}).click();
    await page.waitForSelector('.serving[data-state="lost"]');
    await page.waitForSelector('[role=alert]');
    seen.alert = (await page.getByRole('alert').first().innerText());
    await picture('lost');
    await turn('lost');
    await page.waitForSelector('.serving[data-state="there"]');
    await ask(process.env.QUESTION);
    await use('employer');
    await steered();
    seen.answers = await answers();
    seen.alerts = await page.getByRole('alert').count();
  },

  async watch() {
    await open('#watch');
    await page.waitForFunction(() => Number(document.querySelector('.watch')?.dataset.seconds) >= 1);
    await turn('watching');
    await page.waitForFunction((prompts) => document.querySelector('.tile dd').firstChild.textContent === prompts,
      process.env.PROMPTS);
    seen.tiles = await page.$$eval('.tile dd', (all) => all.map((one) => one.firstChild.textContent));
    seen.live = await page.$$eval('.live tbody tr', (rows) => rows.map((row) => ({
      name: row.dataset.concept, top: Number(row.dataset.top), count: Number(row.dataset.count),
      cells: [...row.querySelectorAll('td')].map((cell) => cell.textContent.trim())})));
    seen.drift = (await texts('.drift .verdict'))[0];
    seen.reference = await page.$$eval('.drift tbody tr', (rows) => rows.map((row) => row.innerText));
    seen.swaps = await page.$$eval('.swaps li', (rows) => rows.map((row) => row.querySelector('strong').parentElement.innerText));
    seen.axe = await axe('watch');
    await turn('seen');
    await page.waitForTimeout(1500);
    await pictureDownTo('watch', '.card');
    await picture('watch-whole', {fullPage: true});
    await page.emulateMedia({colorScheme: 'dark'});
    await picture('watch-dark', {fullPage: true});
    seen.axe.push(...await axe('watch, dark'));
    await page.setViewportSize({width: 360, height: 740});
    await picture('watch-360', {fullPage: true});
    seen.width = await page.evaluate(() => document.documentElement.scrollWidth);
    seen.axe.push(...await axe('watch, 360'));
  },
};

try {
  await SCENES[scene]();
} catch (error) {
  await picture(`${scene}-failed`, {fullPage: true}).catch(() => {});
  console.error(error);
  process.exitCode = 1;
}
await browser.close();
process.stdout.write(`${JSON.stringify({seen})}\n`);
stdin.close();
