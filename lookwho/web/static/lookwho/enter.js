// A link that signs in is used by a POST alone: here, at once, for whoever has scripts.
document.querySelector("form[data-at-once]").requestSubmit();
