// Regulars fields 1.0.0 in Arabic: load it beside fields.js, before or after.
customElements.whenDefined("regulars-handle").then((/** @type {any} */ handle) => {
  handle.texts.ar = {
    found: "الحساب \u2066@{handle}\u2069 موجود على X.",
    not_found: "لم نعثر على \u2066@{handle}\u2069 على X: يُرجى التحقق من كتابته.",
    suspended: "تعذّر علينا استخدام هذا الحساب: \u2066@{handle}\u2069.",
    pending: "سنتحقق من \u2066@{handle}\u2069 بعد قليل.",
    unchecked: "نأخذ \u2066@{handle}\u2069 كما كتبته.",
    checking: "جارٍ التحقق…",
    malformed: "لا يبدو هذا اسم مستخدم على X. ويكون على شكل \u2066@name\u2069.",
  };
});
