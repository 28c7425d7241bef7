import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import "./styles/index.css";

// After an upgrade the chunks of the old build are gone; the page that asks for one needs the new build.
window.addEventListener("vite:preloadError", (event) => {
  const last = Number(sessionStorage.getItem("airis.reloaded") ?? 0);
  if (Date.now() - last < 10_000) return;
  sessionStorage.setItem("airis.reloaded", String(Date.now()));
  event.preventDefault();
  window.location.reload();
});

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
