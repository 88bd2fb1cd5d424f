// Regulars fields 1.0.0 in German: load it beside fields.js, before or after.
customElements.whenDefined("regulars-handle").then((/** @type {any} */ handle) => {
  handle.texts.de = {
    found: "@{handle} gibt es auf X.",
    not_found: "Wir konnten @{handle} auf X nicht finden: Bitte prüfen Sie die Schreibweise.",
    suspended: "Dieses Konto konnten wir nicht verwenden: @{handle}.",
    pending: "Wir prüfen @{handle} etwas später.",
    unchecked: "Wir übernehmen @{handle}, wie Sie es eingegeben haben.",
    checking: "Wird geprüft …",
    malformed: "Das sieht nicht wie ein X-Name aus. Er sieht aus wie @name.",
  };
});
