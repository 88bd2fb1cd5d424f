// Regulars fields 1.0.0 in Brazilian Portuguese: load it beside fields.js, before or after.
customElements.whenDefined("regulars-handle").then((/** @type {any} */ handle) => {
  handle.texts.pt = {
    found: "@{handle} existe no X.",
    not_found: "Não encontramos @{handle} no X: confira a grafia.",
    suspended: "Não foi possível usar essa conta: @{handle}.",
    pending: "Vamos verificar @{handle} um pouco mais tarde.",
    unchecked: "Vamos usar @{handle} como você digitou.",
    checking: "Verificando…",
    malformed: "Isso não parece um usuário do X. Ele tem a forma @nome.",
  };
});
