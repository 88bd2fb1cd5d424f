// Regulars fields 1.0.0 in Spanish: load it beside fields.js, before or after.
customElements.whenDefined("regulars-handle").then((/** @type {any} */ handle) => {
  handle.texts.es = {
    found: "@{handle} existe en X.",
    not_found: "No hemos encontrado @{handle} en X: compruebe cómo está escrito.",
    suspended: "No hemos podido usar esa cuenta: @{handle}.",
    pending: "Comprobaremos @{handle} un poco más tarde.",
    unchecked: "Tomamos @{handle} tal como lo ha escrito.",
    checking: "Comprobando…",
    malformed: "Eso no parece un usuario de X. Tiene la forma @nombre.",
  };
});
