// Selfies: <form data-selfie> with _camera.html in it. A picture is sent as soon as it was taken or
// chosen, once what is to be agreed to is ticked.
//
// The camera of the page needs a page that nobody on the way can change: https, or this machine.
// Elsewhere browsers have no camera to give; then the file input does it, which on a phone opens
// the camera, and the page says why.

const LONGEST = 1600; // the side of the picture that is taken, in pixels
const canFilm = window.isSecureContext && Boolean(navigator.mediaDevices?.getUserMedia);
const forms = () => document.querySelectorAll("[data-selfie]");

function send(form, input) {
  // Of the ways to a picture only the one that was used is sent.
  for (const other of form.querySelectorAll("input[type=file]")) other.removeAttribute("name");
  input.name = "selfie";
  form.dataset.ready = "1";
  // What is not agreed to yet is asked for by the browser, and the picture waits.
  if (!form.reportValidity()) return;
  form.classList.add("busy");
  form.requestSubmit();
}

document.addEventListener("change", (event) => {
  const form = event.target.closest?.("[data-selfie]");
  if (!form) return;
  if (event.target.matches("input[type=file]")) {
    if (event.target.files.length) send(form, event.target);
  } else if (form.dataset.ready && form.checkValidity()) {
    form.classList.add("busy");
    form.requestSubmit();
  }
});
addEventListener("pageshow", () => {
  for (const form of forms()) {
    if (!form.classList.contains("busy")) continue;
    form.classList.remove("busy");
    delete form.dataset.ready;
    form.reset();
  }
});

// ---- the camera of the page ----

function begin(dialog) {
  const form = dialog.closest("form");
  const part = (name) => dialog.querySelector(`[data-camera-${name}]`);
  const video = dialog.querySelector("video");
  const image = dialog.querySelector("img");
  const canvas = document.createElement("canvas");
  let stream = null;
  let taken = null;

  const tell = (text) => {
    part("says").textContent = text;
  };

  /** Show the film, or the picture that was just taken. */
  function show(picture) {
    taken = picture;
    if (image.src) URL.revokeObjectURL(image.src);
    image.removeAttribute("src");
    if (picture) image.src = URL.createObjectURL(picture);
    image.hidden = !picture;
    video.hidden = Boolean(picture);
    part("take").hidden = Boolean(picture);
    part("use").hidden = part("again").hidden = !picture;
    tell(picture ? dialog.dataset.like : dialog.dataset.look);
    (picture ? part("use") : part("take")).focus();
  }

  function stop() {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    video.srcObject = null;
    part("take").disabled = true;
  }

  async function open() {
    show(null);
    dialog.showModal();
    tell(dialog.dataset.asks);
    const asked = {
      audio: false,
      video: { facingMode: "user", width: { ideal: 1920 }, height: { ideal: 1080 } },
    };
    try {
      const given = await navigator.mediaDevices.getUserMedia(asked);
      if (!dialog.open) {
        for (const track of given.getTracks()) track.stop();
        return;
      }
      stream = given;
      video.srcObject = stream;
      await video.play();
      part("take").disabled = false;
      show(null);
    } catch (error) {
      stop();
      tell(error.name === "NotAllowedError" ? dialog.dataset.refused : dialog.dataset.none);
    }
  }

  function take() {
    const scale = Math.min(1, LONGEST / Math.max(video.videoWidth, video.videoHeight));
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => blob && show(blob), "image/jpeg", 0.92);
  }

  function use() {
    const files = new DataTransfer();
    files.items.add(new File([taken], "selfie.jpg", { type: "image/jpeg" }));
    const input = form.querySelector(".take input[type=file]");
    input.files = files.files;
    dialog.close();
    send(form, input);
  }

  part("take").addEventListener("click", take);
  part("again").addEventListener("click", () => show(null));
  part("use").addEventListener("click", use);
  part("leave").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    stop();
    form.querySelector(".take input")?.focus();
  });
  // Pictures are mirrored on the screen alone, as people know themselves from mirrors.
  form.querySelector(".take").addEventListener("click", (event) => {
    event.preventDefault();
    open();
  });
}

function prepare(root) {
  for (const form of root.matches?.("[data-selfie]") ? [root] : root.querySelectorAll("[data-selfie]")) {
    const dialog = form.querySelector("dialog[data-camera]");
    if (!dialog || dialog.dataset.begun) continue;
    dialog.dataset.begun = "1";
    form.classList.toggle("films", canFilm);
    if (canFilm) begin(dialog);
    else form.querySelector("[data-camera-why]").hidden = false;
  }
}

prepare(document);
document.addEventListener("htmx:load", (event) => prepare(event.target));
