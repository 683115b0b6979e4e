// The threshold: what it costs is told while the slider moves, before anything is saved.

const form = document.querySelector("[data-threshold]");

function tell() {
  const percent = form.elements.threshold.value;
  form.querySelector("[data-percent]").textContent = percent;
  const cost = JSON.parse(form.dataset.costs)[percent];
  if (!cost) return;
  const [right, wrong, missed] = cost.map((count) => count.toLocaleString("en"));
  const all = Number(form.dataset.faces).toLocaleString("en");
  form.querySelector("[data-cost]").textContent =
    `Of ${all} faces: ${right} get the right name, ${wrong} a wrong one, and ${missed} of named people get none.`;
}

form?.elements.threshold.addEventListener("input", tell);
