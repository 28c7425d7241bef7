import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vite";

/**
 * Puts src/theme-boot.js in front of the first paint. It has to be a blocking file of its own: as a module it would run
 * after the page flashed in the wrong theme, and inline the content security policy would refuse it.
 */
function themeBoot(): Plugin {
  const source = readFileSync(new URL("src/theme-boot.js", import.meta.url), "utf8");
  const fileName = `assets/theme-boot-${createHash("sha256").update(source).digest("hex").slice(0, 8)}.js`;
  return {
    name: "theme-boot",
    configureServer(server) {
      server.middlewares.use(`/${fileName}`, (_request, response) => {
        response.setHeader("Content-Type", "text/javascript").end(source);
      });
    },
    generateBundle() {
      this.emitFile({ type: "asset", fileName, source });
    },
    transformIndexHtml: () => [{ tag: "script", attrs: { src: `/${fileName}` }, injectTo: "head-prepend" }],
  };
}

/** react-aria carries its own texts in thirty languages; ours are two. */
function onlyOurLanguages(): Plugin {
  const texts = /[\\/]react-(?:aria|stately|aria-components)[\\/]dist[\\/].*[\\/]([a-z]{2}-[A-Z]{2})\.m?js$/;
  return {
    name: "only-our-languages",
    enforce: "pre",
    load(id) {
      const language = texts.exec(id)?.[1];
      return language !== undefined && language !== "en-US" && language !== "ko-KR" ? "export default {};" : null;
    },
  };
}

export default defineConfig({
  plugins: [onlyOurLanguages(), react(), themeBoot()],
  build: {
    outDir: "../static",
    emptyOutDir: true,
    target: ["chrome123", "firefox120", "safari17.5"],
    // Small images as data URIs would need `data:` in more places of the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // What cli.web_budget weighs; a dot file, so that it is not served.
    manifest: ".manifest.json",
  },
  server: {
    host: "127.0.0.1",
    port: 5173,
    proxy: { "/api": process.env.AIRIS_WEB_API ?? "http://127.0.0.1:3000" },
  },
});
