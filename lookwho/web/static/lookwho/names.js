// Names that are offered while one is typed: a list below the field, each with a face.
//
// <div class="offers"><input data-names></div>. Arrows choose, Enter takes what is chosen, or what
// was typed where nothing is; Escape closes the list, and then empties the field. With
// data-names="choose" only somebody known can be taken, and the field beside it gets their uuid.

const SOURCE = "/people/names";
const WAIT = 120;
const known = new Map();

let list;
let field;
let timer;
let number = 0;

const options = () => (list ? [...list.children] : []);

function close() {
  clearTimeout(timer);
  list?.remove();
  list = undefined;
  if (field) {
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }
}

function choose(index) {
  const all = options();
  all.forEach((option, at) => option.setAttribute("aria-selected", String(at === index)));
  if (all[index]) {
    field.setAttribute("aria-activedescendant", all[index].id);
    all[index].scrollIntoView({ block: "nearest" });
  } else field.removeAttribute("aria-activedescendant");
}

function take(option) {
  field.value = option.dataset.name;
  const uuid = field.dataset.names === "choose" && field.parentElement.querySelector("[name=into]");
  if (uuid) uuid.value = option.dataset.uuid;
  close();
}

function show(people) {
  close();
  if (!people.length || document.activeElement !== field) return;
  list = document.createElement("div");
  list.className = "options";
  list.id = `options-${(number += 1)}`;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "People with such a name");
  people.forEach(({ uuid, name, face }, at) => {
    const option = document.createElement("div");
    option.id = `${list.id}-${at}`;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    Object.assign(option.dataset, { uuid, name });
    const crop = document.createElement("span");
    crop.className = "crop";
    if (face) {
      const image = document.createElement("img");
      image.src = face;
      image.alt = "";
      crop.append(image);
    }
    const words = document.createElement("span");
    words.textContent = name;
    option.append(crop, words);
    list.append(option);
  });
  list.addEventListener("pointerdown", (event) => {
    event.preventDefault(); // the field keeps the focus
    const option = event.target.closest("[role=option]");
    if (!option) return;
    const { form } = field;
    take(option);
    if (form?.matches(".naming")) form.requestSubmit();
  });
  field.parentElement.append(list);
  field.setAttribute("aria-expanded", "true");
  field.setAttribute("aria-controls", list.id);
}

async function ask() {
  const asked = field;
  const text = asked.value.trim();
  if (!text) return close();
  if (!known.has(text)) {
    try {
      const answer = await fetch(`${SOURCE}?q=${encodeURIComponent(text)}`);
      if (!answer.ok) return;
      known.set(text, (await answer.json()).people);
      setTimeout(() => known.delete(text), 20000);
    } catch {
      return;
    }
  }
  if (field === asked && asked.value.trim() === text) show(known.get(text));
}

document.addEventListener("focusin", ({ target }) => {
  if (!target.matches?.("[data-names]")) return;
  field = target;
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-expanded", "false");
});
document.addEventListener("focusout", ({ target }) => {
  if (target === field) close();
});
document.addEventListener("input", ({ target }) => {
  if (target !== field) return;
  const uuid = field.parentElement.querySelector("[name=into]");
  if (uuid) uuid.value = "";
  clearTimeout(timer);
  timer = setTimeout(ask, WAIT);
});
document.addEventListener(
  "keydown",
  (event) => {
    if (event.target !== field) return;
    const all = options();
    const at = all.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!all.length) return void ask();
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      choose(at < 0 && step < 0 ? all.length - 1 : (at + step + all.length + 1) % (all.length + 1));
    } else if (event.key === "Enter") {
      if (at >= 0) take(all[at]);
      else close();
    } else if (event.key === "Escape") {
      if (list) {
        event.preventDefault();
        event.stopPropagation();
        close();
      } else if (field.matches(".who")) {
        field.value = "";
        field.blur();
      }
    } else if (event.key === "Tab" && at >= 0) take(all[at]);
  },
  true,
);
