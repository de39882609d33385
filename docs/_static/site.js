// Wide figures and formulas become regions that keys can move, where they do not fit.
function mark() {
  const drawn = "p > img:only-child, div > img.sphx-glr-single-img";
  for (const image of document.querySelectorAll(`.bd-article :is(${drawn})`)) {
    const wide = image.naturalWidth >= 700;
    image.parentElement.classList.toggle("sideways", wide);
    image.style.setProperty("--natural", `${image.naturalWidth}px`);
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

// What the theme, Sphinx and the gallery leave open, above all for screen readers.
function mend() {
  // The button says "Search Ctrl+K" by itself, and is called another name.
  document.querySelector(".search-button-field")?.removeAttribute("aria-label");
  for (const summary of document.querySelectorAll("li > details > summary")) {
    const link = summary.closest("li").querySelector("a");
    summary.setAttribute("aria-label", `Pages under ${link?.textContent ?? "this"}`);
  }
  // Figures of the examples have no box of their own.
  for (const image of document.querySelectorAll("section > img.sphx-glr-single-img")) {
    const box = document.createElement("div");
    image.replaceWith(box);
    box.append(image);
  }
  // Parameters on lines of their own are a list of definitions without terms.
  for (const part of document.querySelectorAll("dt.sig dl, dt.sig dl > dd")) {
    part.setAttribute("role", "none");
  }
}

document.addEventListener("DOMContentLoaded", mend);
window.addEventListener("load", mark);
window.addEventListener("resize", mark);
