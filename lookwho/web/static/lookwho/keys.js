// The second factor by a key: hands the page's ids to the scripts of django-allauth, which talk to it.
const button = document.querySelector("[data-credential]");
const { forms } = window.allauth.webauthn;
forms.authenticateForm({ ids: { authenticate: button.id, credential: button.dataset.credential, data: "js_data" } });
button.disabled = false;
