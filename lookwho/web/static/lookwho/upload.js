// Dropping and choosing photos and videos: sent in batches, so that progress shows and one bad file or one
// lost connection costs little. Without this script the form is sent as a whole.

import { IS_VIDEO, whenDropped } from "./dropping.js";
import { say } from "./lookwho.js";

const FILES = 50;
const BYTES = 64e6;
const LOOKS_LIKE_PHOTO = /\.(jpe?g|jfif|png|webp|gif|tiff?|bmp|heic|heif|avif|jp2|mpo)$/i;

const form = document.querySelector("[data-upload]");
const input = form.querySelector("input[type=file]");
const wrong = form.querySelector("[data-wrong]");
const sending = form.querySelector("[data-sending]");
const bar = sending.querySelector("progress");
const said = sending.querySelector("[data-said]");
const refused = form.querySelector("[data-refused]");
let underWay = false;

function* batches(files) {
  let batch = [];
  let bytes = 0;
  for (const file of files) {
    if (batch.length && (batch.length === FILES || bytes + file.size > BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(file);
    bytes += file.size;
  }
  if (batch.length) yield batch;
}

function post(batch, progressed) {
  // Not fetch: it does not tell how much was sent.
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const body = new FormData();
    body.append("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    for (const file of batch) body.append("photos", file, file.name);
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => progressed(event.loaded));
    request.addEventListener("load", () => resolve([request.status, request.response]));
    request.addEventListener("error", () => reject(new Error("Lookwho cannot be reached.")));
    request.send(body);
  });
}

function tellRefused(files) {
  refused.hidden = false;
  for (const { name, error } of files) {
    const line = document.createElement("li");
    line.textContent = `${name}: ${error}`;
    refused.append(line);
  }
}

async function upload(files) {
  if (!files.length || underWay) return;
  underWay = true;
  wrong.textContent = "";
  refused.replaceChildren();
  refused.hidden = true;
  sending.hidden = false;
  const all = files.reduce((sum, file) => sum + file.size, 0) || 1;
  // What they are called together.
  const kind = files.every((file) => IS_VIDEO.test(file.name)) ? "video" : files.some((file) => IS_VIDEO.test(file.name)) ? "file" : "photo";
  let before = 0;
  let added = 0;
  let turnedAway = 0;
  try {
    for (const batch of batches(files)) {
      const size = batch.reduce((sum, file) => sum + file.size, 0);
      said.textContent = `${added} of ${files.length} ${kind}s sent`;
      const [status, told] = await post(batch, (sent) => {
        bar.value = Math.min((before + Math.min(sent, size)) / all, 1);
      });
      before += size;
      if (status < 300) {
        added += told.added;
        turnedAway += told.refused.length;
        if (told.refused.length) tellRefused(told.refused);
      } else if (told?.code === "invalid") {
        // None of the batch is a photo or a video; the others may be.
        turnedAway += batch.length;
        tellRefused([{ name: `${batch.length} files`, error: told.message }]);
      } else throw new Error(told?.message ?? "Lookwho could not take the files.");
    }
    bar.value = 1;
    said.textContent = `${added} ${kind}${added === 1 ? "" : "s"} sent${turnedAway ? `, ${turnedAway} refused` : ""}.`;
    if (added && !turnedAway) location.href = form.dataset.then;
    else if (added) {
      const on = document.createElement("a");
      on.className = "button main";
      on.href = form.dataset.then;
      on.textContent = "See who is in them";
      sending.append(on);
    }
  } catch (error) {
    wrong.textContent = `${error.message} ${added} of ${files.length} ${kind}s were taken.`;
    sending.hidden = true;
  }
  underWay = false;
  input.value = "";
}

input.addEventListener("change", () => upload([...input.files]));

whenDropped({
  looksRight: (name) => LOOKS_LIKE_PHOTO.test(name) || IS_VIDEO.test(name),
  take: upload,
  none: () => (wrong.textContent = "There is no photo or video in what you dropped."),
  unreadable: () => say("That could not be read from your computer."),
});
window.addEventListener("beforeunload", (event) => {
  if (underWay) event.preventDefault();
});
