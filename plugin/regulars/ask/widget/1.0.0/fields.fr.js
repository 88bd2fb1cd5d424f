// Regulars fields 1.0.0 in French: load it beside fields.js, before or after.
customElements.whenDefined("regulars-handle").then((/** @type {any} */ handle) => {
  handle.texts.fr = {
    found: "@{handle} existe sur X.",
    not_found: "Nous n’avons pas trouvé @{handle} sur X : vérifiez l’orthographe.",
    suspended: "Nous n’avons pas pu utiliser ce compte : @{handle}.",
    pending: "Nous vérifierons @{handle} un peu plus tard.",
    unchecked: "Nous prenons @{handle} tel que vous l’avez saisi.",
    checking: "Vérification…",
    malformed: "Cela ne ressemble pas à un identifiant X, tel que @nom.",
  };
});
