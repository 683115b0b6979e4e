// Files and folders that are dropped anywhere on the page.

/** What a video is called; what is inside decides once it is here. */
export const IS_VIDEO = /\.(mp4|m4v|mov|qt|3gp|3g2|mkv|webm|avi|divx|mts|m2ts|m2t|ts|mpe?g|mpe|m2p|vob|mod|tod|mxf|dv|flv|f4v|wmv|asf|ogv|h264|264|h265|hevc)$/i;

// Of a folder only what looks right; of what was chosen by hand everything.
async function inside(entry, looksRight, chosen = true) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return chosen || looksRight(file.name) ? [file] : [];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const each of some) found.push(...(await inside(each, looksRight, false)));
  }
}

// `take` is called with the files, `none` where there is none, `unreadable` where they cannot be read.
export function whenDropped({ looksRight, take, none, unreadable }) {
  let depth = 0;
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");

  document.addEventListener("dragenter", (event) => {
    if (!carriesFiles(event)) return;
    depth += 1;
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!carriesFiles(event)) return;
    depth -= 1;
    if (depth <= 0) document.body.classList.remove("dropping");
  });
  document.addEventListener("dragover", (event) => {
    if (carriesFiles(event)) event.preventDefault();
  });
  document.addEventListener("drop", async (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    document.body.classList.remove("dropping");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const plain = [...event.dataTransfer.files];
    try {
      const files = entries.length
        ? (await Promise.all(entries.map((entry) => inside(entry, looksRight)))).flat()
        : plain;
      if (files.length) take(files);
      else none();
    } catch {
      unreadable();
    }
  });
}
