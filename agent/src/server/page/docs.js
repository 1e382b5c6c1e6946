// The theme of the live page, for the documentation.
"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");

function theme() {
  let chosen = null;
  try {
    chosen = localStorage.getItem("theme");
  } catch {
    // Without it, the theme is that of the system.
  }
  const isNamed = chosen === "light" || chosen === "dark";
  document.documentElement.dataset.theme = isNamed ? chosen : dark.matches ? "dark" : "light";
}
dark.addEventListener("change", theme);
theme();
