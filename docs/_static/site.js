// Wide figures and formulas become regions that keys can move, where they do not fit.
function mark() {
  for (const image of document.querySelectorAll(".bd-article p > img:only-child")) {
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

window.addEventListener("load", mark);
window.addEventListener("resize", mark);
