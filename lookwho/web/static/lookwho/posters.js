// A poster that cannot be had, since the file is broken or gone, leaves a sign in its place.

document.addEventListener(
  "error",
  (event) => event.target.closest?.(".poster")?.classList.add("missing"),
  true,
);
for (const image of document.querySelectorAll(".poster img")) {
  if (image.complete && !image.naturalWidth && image.loading !== "lazy") image.closest(".poster").classList.add("missing");
}
