// The sign-up form is complete without this file. With it, the fields of a channel that
// was not chosen are disabled, so that a half-typed number of an earlier choice stays here,
// and a handle that only autofill put in is sent without the consent to look it up.

const form = document.querySelector("form[data-signup]");

/** Enable the fields under the chosen channel and disable those under all others. */
function sync(event) {
  const channel = form.querySelector("[name=contact_channel]:checked")?.value;
  for (const block of form.querySelectorAll("[data-for]")) {
    const isChosen = Boolean(channel) && block.dataset.for.split(" ").includes(channel);
    // Another choice settles the old one's error; before any choice it must stay editable.
    if (event.type === "change" && !isChosen) block.classList.remove("has-error");
    const isOff = !isChosen && !block.classList.contains("has-error");
    for (const input of block.querySelectorAll("input")) {
      input.disabled = isOff;
      if (input.type !== "checkbox") input.required = isChosen;
    }
  }
  form.elements.x_handle.required = channel === "x";
}

if (form) {
  const handle = form.elements.x_handle;
  let touched = "touched" in handle.dataset;
  handle.addEventListener("focus", () => { touched = true; });
  form.addEventListener("submit", () => {
    form.elements.consent_x_link.disabled = handle.value !== "" && !touched;
  });
  form.addEventListener("change", (event) => {
    if (event.target.name === "contact_channel") sync(event);
  });
  // Also after "back", when the browser has put earlier choices in again.
  window.addEventListener("pageshow", sync);
}
