// Wide figures and formulas become regions that keys can move, where they do not fit.
function mark() {
  const drawn = ".bd-article p > img[src$='.png']:only-child";
  for (const image of document.querySelectorAll(drawn)) {
    image.parentElement.classList.toggle("sideways", image.naturalWidth >= 900);
  }
  for (const box of document.querySelectorAll(".sideways, .bd-article div.math")) {
    if (box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", "Wider than the screen; scrolls sideways");
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  }
}

// What the theme and Sphinx write that screen readers stumble over.
function name() {
  // The button says "Search Ctrl+K" by itself, and is called another name.
  document.querySelector(".search-button-field")?.removeAttribute("aria-label");
  for (const summary of document.querySelectorAll("li > details > summary")) {
    const link = summary.closest("li").querySelector("a");
    summary.setAttribute("aria-label", `Pages under ${link?.textContent ?? "this"}`);
  }
  // Parameters on lines of their own are a list of definitions without terms.
  for (const part of document.querySelectorAll("dt.sig dl, dt.sig dl > dd")) {
    part.setAttribute("role", "none");
  }
}

document.addEventListener("DOMContentLoaded", name);
window.addEventListener("load", mark);
window.addEventListener("resize", mark);
