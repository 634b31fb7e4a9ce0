// Writes countries.tsv from the package countries-list of npm:
//
//   npm install countries-list@3.4.1 && node make_countries.mjs > countries.tsv
//
// Only facts are taken: English name, capital, first currency (ISO 4217),
// continent, first language, first calling code. Countries that lack one of
// them are left out.
import { readFileSync } from "node:fs";
import { continents, countries, languages } from "countries-list";

const { version, license } = JSON.parse(
  readFileSync("node_modules/countries-list/package.json", "utf8"));

const facts = Object.values(countries)
  .map((country) => [
    country.name,
    country.capital,
    country.currency[0],
    continents[country.continent],
    languages[country.languages[0]]?.name,
    country.phone[0] && `+${country.phone[0]}`,
  ])
  .filter((row) => row.every((value) => value && !/[\t\n#]/.test(value)))
  .sort(([a], [b]) => (a < b ? -1 : 1));

console.log(`# Facts of countries, from the npm package countries-list ${version}`);
console.log(`# (${license} licence, https://github.com/annexare/Countries), by make_countries.mjs.`);
console.log("# name\tcapital\tcurrency\tcontinent\tlanguage\tcalling_code");
for (const row of facts) console.log(row.join("\t"));
