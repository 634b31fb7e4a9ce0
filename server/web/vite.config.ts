import {defineConfig} from 'vite';

// One script and one style sheet; nothing inline, which the server's content
// security policy would refuse.
export default defineConfig({
  esbuild: {jsx: 'automatic', jsxImportSource: 'preact', legalComments: 'none'},
  build: {
    target: 'es2021',
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: false,
  },
  server: {proxy: {'/alignsae.v1.': 'http://127.0.0.1:8080'}},
});
