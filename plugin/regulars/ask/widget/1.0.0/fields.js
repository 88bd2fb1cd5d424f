// Regulars fields 1.0.0: upgrades inputs in a shop's own form, which post without it too.
// No import, cookie, storage or frame; calls `endpoint` and its siblings alone.

const none = /** @type {any} */ (undefined);

const texts = /** @type {any} */ ({
  en: {
    found: "@{handle} exists on X.",
    not_found: "We could not find @{handle} on X: check the spelling.",
    suspended: "We could not use that account: @{handle}.",
    pending: "We will check @{handle} a little later.",
    unchecked: "We take @{handle} as you typed it.",
    checking: "Checking…",
    malformed: "That does not look like an X handle. It looks like @name.",
  },
});

const seen = new Map();

// The handle in a text, null where the server finds none either; links to X are left to it.
const parse = (text = "") => {
  const bare = text
    .replace(/[\xad\u061c\u180e\ufeff\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069]/g, "")
    .replace(/[\uff01-\uff5e]/g, (c) => String.fromCharCode(c.charCodeAt(0) - 0xfee0))
    .replace(/^[@\s]+|[.\s]+$/g, "");
  return /^\w{0,15}$/.test(bare) ? bare : /^\S*(x|twitter)\.com\S*$/i.test(bare) ? none : null;
};

// Elements watch themselves: only what differs is written.
const set = (element = none, name = "", value = none) => {
  if (value == null) element.removeAttribute(name);
  else if (element.getAttribute(name) != value) element.setAttribute(name, value);
};

const make = (tag = "", given = {}) => Object.assign(document.createElement(tag), given);

const hold = (parent = none, name = "", value = none) => {
  const field = parent.querySelector(`[name="${name}"]`);
  if (value) (field ?? parent.appendChild(make("input", { type: "hidden", name }))).value = value;
  else field?.remove();
};

class Part extends HTMLElement {
  static formAssociated = true;
  internals = this.attachInternals?.();
  #watch = new MutationObserver(() => this.sync());

  connectedCallback() {
    for (const type of ["focusin", "input", "compositionend", "change", "focusout"]) this.addEventListener(type, this);
    if (!this.find("input")) this.build();
    if (this.getAttribute("submit") == "signup") {
      // Strict policies refuse a style attribute.
      const trap = this.find("[name=leave_empty]") ?? this.appendChild(make("input", { name: "leave_empty", tabIndex: -1, autocomplete: "off", ariaHidden: "true" }));
      Object.assign(trap.style, { position: "absolute", width: "1px", clipPath: "inset(50%)" });
    }
    this.#watch.observe(this, { subtree: true, childList: true, attributeFilter: ["aria-describedby", "aria-invalid", "role"] });
    addEventListener("pageshow", this);
    // A host that swaps fragments puts values back.
    queueMicrotask(() => this.isConnected && this.start());
  }

  disconnectedCallback() {
    removeEventListener("pageshow", this);
    this.#watch.disconnect();
    this.stop();
  }

  reset() {
    for (const one of this.all("input")) {
      one.checked = one.defaultChecked;
      one.value = one.defaultValue;
    }
    this.formResetCallback();
  }

  formResetCallback() {
    this.sync();
  }

  start() {
    this.sync();
  }
  stop() {}
  handleEvent(event = none) {}

  find(selector = "") {
    return this.all(selector)[0];
  }

  all(selector = "", within = this) {
    return /** @type {any[]} */ ([...within.querySelectorAll(selector)]);
  }

  tell(name = "", detail = {}) {
    return this.dispatchEvent(new CustomEvent(name, { bubbles: true, composed: true, cancelable: true, detail }));
  }

  get language() {
    return this.closest("[lang]")?.getAttribute("lang") ?? "";
  }

  url(path = "") {
    return new URL(path, new URL(this.getAttribute("endpoint") ?? "/v1/check", import.meta.url));
  }

  post(path = "", body = none, more = {}) {
    body.set("site", this.getAttribute("site"));
    return fetch(this.url(path), { method: "POST", body, credentials: "omit", ...more });
  }

  build() {
    const call = new XMLHttpRequest();
    call.open("GET", this.url(`snippet?site=${this.getAttribute("site")}&lang=${this.language}`));
    call.responseType = "document";
    call.onload = () => {
      const theirs = call.response?.querySelector(this.localName);
      if (!theirs) return;
      for (const { name, value } of theirs.attributes) if (!this.hasAttribute(name)) set(this, name, value);
      this.adopt(theirs);
      this.start();
    };
    call.send();
  }

  adopt(theirs = none) {
    this.append(...theirs.childNodes);
  }

  sync() {
    // The same markup twice on a page: labels keep to their own.
    const root = /** @type {any} */ (this.getRootNode());
    for (const one of this.all("[id]")) {
      const { id } = one;
      for (let n = 2; root.querySelectorAll(`[id="${one.id}"]`)[1]; n++) one.id = `${id}-${n}`;
      if (one.id != id)
        for (const name of ["for", "aria-describedby"])
          for (const user of this.all(`[${name}~="${id}"]`)) set(user, name, user.getAttribute(name)?.replace(id, one.id));
    }
  }
}

class RegularsHandle extends Part {
  static texts = texts;
  static parse = parse;
  verdict = "";
  receipt = none;
  #touched = false;
  #hints = "";
  #asked = "";
  #answer = none;
  #call = none;
  #rest = 0;
  #message = "";

  get input() {
    return this.find("input:not([type=hidden],[type=checkbox])");
  }

  get value() {
    return parse(this.input.value) ?? "";
  }

  async check() {
    this.#asked = "";
    return this.#run();
  }

  formResetCallback() {
    this.#touched = false;
    this.stop();
    this.#show();
  }

  build() {
    const name = this.getAttribute("name") ?? "x_handle";
    this.append(
      make("label", { htmlFor: name, textContent: this.getAttribute("label") ?? "Your X handle (optional)" }),
      make("input", { id: name, name, autocomplete: "nickname", autocapitalize: "none", required: this.hasAttribute("required") }),
    );
    super.build();
  }

  adopt(theirs = none) {
    const { input } = this;
    const [label, given] = theirs.querySelectorAll("label,input");
    for (const { name, value } of given.attributes) if (name != "name") set(input, name, value);
    for (const old of this.all("label,p")) old.remove();
    label.textContent = this.getAttribute("label") ?? label.textContent;
    this.prepend(label);
    while (given.nextSibling) this.append(given.nextSibling);
  }

  start() {
    super.sync();
    this.#hints = this.input.getAttribute("aria-describedby");
    this.#touch("touched" in this.input.dataset || seen.has(this.#id()));
    this.#show();
    this.#run();
  }

  stop() {
    clearTimeout(this.#rest);
    this.#call?.abort();
    this.#call = none;
    this.#asked = "";
  }

  sync() {
    super.sync();
    const { input } = this;
    if (!input) return;
    const status = this.find("[data-part=status]") ?? this.appendChild(make("p", { id: `${input.id}-status` }));
    set(status, "data-part", "status");
    set(status, "role", "status");
    const now = input.getAttribute("aria-describedby") ?? "";
    if (!now.includes(status.id)) set(input, "aria-describedby", `${now} ${this.#hints || status.id}`.trim());
    set(input, "aria-invalid", this.verdict == "malformed" || this.find("[data-part=error]") ? "true" : null);
    const consent = this.find("[name=consent_x_link]");
    if (consent) consent.disabled = !this.#touched;
    if (this.hasAttribute("strict")) input.setCustomValidity(parse(input.value) === null ? this.#text("malformed") : "");
  }

  handleEvent({ type = "", target = none, inputType = "", isComposing = false }) {
    const { input } = this;
    if (target != input) return;
    const isHere = input.matches(":focus");
    if (type == "focusin") this.#touch(this.#touched || isHere);
    else if (/out|change/.test(type)) {
      if (this.#touched && !isHere) input.value = this.value || input.value;
      this.#run();
    } else {
      // Autofill types where nobody is.
      this.#touch(isHere);
      this.stop();
      this.find("[data-part=error]")?.remove();
      this.#show(input.value && "editing");
      if (isComposing) return;
      if (/Paste|Drop/.test(inputType)) this.#run();
      else if (!/blur|off/.test(`${this.getAttribute("verify")}`)) this.#rest = setTimeout(() => this.#run(), +(this.getAttribute("debounce") ?? 250) * (parse(input.value) === null ? 4 : 1));
    }
  }

  #touch(isTouched = false) {
    this.#touched = isTouched && this.find("[data-part=statement]")?.offsetHeight > 0;
    this.sync();
  }

  #id() {
    const text = this.input.value.trim();
    return `${this.getAttribute("site")} ${parse(text) ?? text}`.toLowerCase();
  }

  #run() {
    clearTimeout(this.#rest);
    const id = this.#id();
    if (!this.#touched || this.input.matches(":disabled")) return this.verdict;
    if (id != this.#asked) this.#answer = this.#ask((this.#asked = id));
    return this.#answer;
  }

  async #ask(id = "") {
    const text = this.input.value.trim();
    const handle = parse(text);
    if (handle === "" || handle === null) return this.#show(handle ?? "malformed");
    if (seen.has(id)) return this.#show(...seen.get(id));
    const consent_x_link = this.find("[name=consent_x_link]")?.value;
    if (!consent_x_link || this.getAttribute("verify") == "off" || !this.tell("regulars-check", { handle: handle ?? text })) return this.verdict;
    const call = (this.#call = new AbortController());
    this.#show("checking");
    setTimeout(() => call == this.#call && this.#say("checking"), 500);
    setTimeout(() => call.abort(), 4000);
    let answer = ["pending", handle];
    try {
      const reply = await this.post("check", new URLSearchParams({ handle: handle ?? text, consent_x_link }), { signal: call.signal });
      const told = await reply.json();
      if (texts.en[told.verdict]) answer = [told.verdict, handle ?? told.handle, told.receipt];
      else if (reply.status == 422) answer = [handle ? "unchecked" : "malformed", handle];
      if (/d$/.test(answer[0])) seen.set(id, answer);
    } catch {} // down, blocked, late
    if (call != this.#call) return this.verdict;
    this.#call = none;
    return this.#show(...answer);
  }

  #show(verdict = "", handle = "", receipt = /** @type {any} */ (null)) {
    this.verdict = verdict;
    this.receipt = receipt;
    set(this, "verdict", verdict || null);
    try {
      this.internals?.states.clear();
      if (verdict) this.internals?.states.add(verdict);
    } catch {}
    const isSettled = verdict != "checking" && texts.en[verdict];
    this.#say(isSettled ? verdict : "", handle);
    hold(this, this.getAttribute("receipt-name") ?? "x_handle_receipt", receipt);
    this.sync();
    if (isSettled) this.tell("regulars-verdict", { handle, verdict, receipt });
    return verdict;
  }

  #say(state = "", handle = "") {
    const text = this.#text(state);
    this.#message = handle || !/{/.test(text) ? text.replace("{handle}", handle) : "";
    const write = () => {
      const status = this.find("[data-part=status]");
      if (status && status.textContent != this.#message) status.textContent = this.#message;
    };
    // Never move a button while it is pressed.
    if (document.querySelector(":active")) addEventListener("mouseup", () => setTimeout(write), { once: true });
    else write();
  }

  #text(state = "") {
    return this.getAttribute(`text-${state.replace("_", "-")}`) ?? (texts[this.language.slice(0, 2)] ?? texts.en)[state] ?? "";
  }
}

class RegularsChannels extends Part {
  value = "";

  get details() {
    return Object.fromEntries(this.all("[data-part=detail] [id]:enabled").map(({ name, value }) => [name, value]));
  }

  handleEvent({ type = "" }) {
    if (/change|show/.test(type)) this.sync();
  }

  adopt(theirs = none) {
    super.adopt(theirs);
    const only = this.getAttribute("channels");
    for (const one of this.all("[data-part=choice] input")) {
      if (this.hasAttribute("multiple")) one.type = "checkbox";
      if (one.value ? only && !only.split(" ").includes(one.value) : one.type != "radio") one.closest("div").remove();
    }
    if (this.getAttribute("consent") == "none") for (const one of this.all("[data-part=consent]")) one.remove();
  }

  sync() {
    super.sync();
    const chosen = this.all("[name=contact_channel]:checked").map(({ value }) => value);
    for (const block of this.all("[data-for]")) {
      const isOn = block.dataset.for.split(" ").some((one = "") => chosen.includes(one));
      for (const one of this.all("input", block)) {
        one.disabled = !isOn;
        const from = this.getAttribute(`${one.type}-from`);
        if (from && isOn && block.hidden) one.value ||= /** @type {any} */ (document.querySelector(from))?.value ?? "";
      }
      block.hidden = !isOn;
    }
    const channel = chosen.join(" ");
    set(this, "channel", chosen.length ? channel : null);
    if (channel != this.value) this.tell("regulars-channel", { channel: (this.value = channel) });
  }
}

let sent = "";
let key = "";

// Beside the form's own way, which never waits.
const signUp = ({ target: form = none }) => {
  const part = form.querySelector("[submit=signup]");
  if (!part?.post) return;
  const body = new URLSearchParams();
  const typed = form.querySelector("[name=x_handle]")?.value ?? "";
  const handle = parse(typed) !== null && typed;
  for (const { name, value } of form.querySelectorAll(":is(regulars-handle,regulars-channels) [name]:enabled:not(:is([type=radio],[type=checkbox]):not(:checked))")) {
    // What the server would refuse must not cost the rest.
    const needed = name == "x_handle" || value == "x" ? handle : name == "contact_channel" ? form.querySelector(`[data-for~="${value}"] [id]`)?.value : value;
    if (needed || needed === none) body.append(name, value);
  }
  if (sent != (sent = `${body}`)) key = crypto.getRandomValues(new Uint32Array(4)).join("-");
  body.set("idempotency_key", key);
  part
    .post("signups", body, { keepalive: true })
    .then((reply = none) => reply.json())
    .then(({ id = "" }) => hold(form, "regulars_signup", id))
    .catch(() => {});
};

const define = () => {
  if (customElements.get("regulars-handle")) return;
  customElements.define("regulars-handle", RegularsHandle);
  customElements.define("regulars-channels", RegularsChannels);
  addEventListener("submit", signUp, true);
};
// Elements need their children.
if (document.readyState == "loading") document.addEventListener("DOMContentLoaded", define);
else define();
