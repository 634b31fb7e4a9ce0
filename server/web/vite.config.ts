import {env} from 'node:process';
import {defineConfig} from 'vite';

// `npm run dev` beside a server with --http-listen=127.0.0.1:8080, or the address
// in ALIGNSAE_DOOR. The door lets only its own pages in, so their origin goes.
const door = {
  target: env.ALIGNSAE_DOOR ?? 'http://127.0.0.1:8080', changeOrigin: true,
  headers: {origin: env.ALIGNSAE_DOOR ?? 'http://127.0.0.1:8080'},
};

// One script and one style sheet; nothing inline, which the server's content
// security policy would refuse.
export default defineConfig({
  esbuild: {jsx: 'automatic', jsxImportSource: 'preact', legalComments: 'none'},
  build: {
    target: 'es2021', assetsInlineLimit: 0, cssCodeSplit: false, modulePreload: false,
  },
  server: {proxy: {'/alignsae.v1.': door}},
  preview: {proxy: {'/alignsae.v1.': door}},
});
