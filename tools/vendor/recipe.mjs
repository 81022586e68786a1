// What is kept in static/vendor: from which package, under which name.
// `texts` are the packages whose licence the file needs: its own, and those bundled into it.

const SOURCE_MAP = /\n?\/\/# sourceMappingURL=.*\s*$/;
const withoutSourceMap = (text) => `${text.replace(SOURCE_MAP, "")}\n`; // the map is not kept

export const RECIPE = [
  {
    package: "socket.io-client",
    files: { "socket.io.esm.min.js": "dist/socket.io.esm.min.js" },
    change: withoutSourceMap,
    texts: [
      "socket.io-client",
      "@socket.io/component-emitter",
      "engine.io-client",
      "engine.io-parser",
      "socket.io-parser",
    ],
  },
  {
    package: "markdown-it",
    files: { "markdown-it.esm.min.mjs": "dist/browser/markdown-it.esm.min.mjs" },
    change: withoutSourceMap,
    texts: ["markdown-it", "entities", "linkify-it", "mdurl", "punycode.js", "uc.micro"],
  },
  {
    package: "markdown-it-cjk-friendly",
    bundle: { "markdown-it-cjk-friendly.mjs": "./node_modules/markdown-it-cjk-friendly/dist/index.js" },
    texts: ["markdown-it-cjk-friendly", "get-east-asian-width"],
  },
  {
    package: "@highlightjs/cdn-assets",
    files: { "highlight.min.mjs": "es/highlight.min.js" },
    texts: ["@highlightjs/cdn-assets"],
  },
  {
    package: "react",
    bundle: { "react.js": "react-entry.js" },
    texts: ["react", "react-dom", "scheduler"],
  },
  {
    package: "swagger-ui-dist",
    files: {
      "swagger-ui/swagger-ui-bundle.js": "swagger-ui-bundle.js",
      "swagger-ui/swagger-ui.css": "swagger-ui.css",
      "swagger-ui/swagger-ui-bundle.js.LICENSE.txt": "swagger-ui-bundle.js.LICENSE.txt",
      "swagger-ui/LICENSE": "LICENSE",
      "swagger-ui/NOTICE": "NOTICE",
    },
    texts: [],
  },
];
