// What the page does in the browser; `languages` is set before this script (see `browser.build_head`).

// Gradio names a session by Math.random; this one cannot be guessed.
Math.random = () => {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
};

const copilot = {
  // Reviewed work that is neither kept nor downloaded, text that waits for the reviewer's name, or that is being typed:
  // a second after its text field was left the panel shows which of them it is.
  hasUnsavedWork: () => document.querySelector("#record-card :is(.unsaved, .waiting, .typed)"),

  // What a reload or a change of language would lose: a result, questions, texts in the form.
  hasAnythingToLose: () =>
    copilot.hasUnsavedWork() ||
    document.querySelector("#results :is(.headline, .user)") ||
    [...document.querySelectorAll("#left .asked textarea")].some((field) => field.value),

  // Asks before unsaved work on the record is lost, and returns what is sent.
  confirmLoss: (question, values) => {
    if (copilot.hasUnsavedWork() && !confirm(question)) throw new Error("The visitor said no.");
    return values;
  },

  // Sends the theme as the form's last field, since pictures are drawn for it. The mark of an outdated result is
  // removed, since a new one follows.
  sendTheme: (question, values) => {
    copilot.confirmLoss(question, values);
    delete document.body.dataset.outdated;
    return [...values.slice(0, -1), document.body.classList.contains("dark")];
  },

  // Saves bytes as a file in the browser, so that no record is ever written on the machine that runs the copilot.
  // Texts that were being typed are in the file, and need no guard any more.
  save: (file) => {
    if (!file) return;
    const bytes = Uint8Array.from(atob(file.base64), (letter) => letter.charCodeAt(0));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes], {type: file.type}));
    link.download = file.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    document.querySelectorAll("#record-card .typed").forEach((field) => field.classList.remove("typed"));
  },

  // On a phone the results are far below the button.
  showResults: () => {
    if (innerWidth < 860) document.getElementById("results").scrollIntoView({behavior: "smooth"});
  },

  // A record is shown above the list from which it was opened.
  showRecord: () => document.getElementById("record-card")?.scrollIntoView({behavior: "smooth"}),
};

{
  // Gradio sets the browser's language; the page keeps its own.
  const ending = location.pathname.split("/").pop();
  const language = languages.includes(ending) ? ending : languages[0];
  const tell = () => { if (document.documentElement.lang !== language) document.documentElement.lang = language; };
  new MutationObserver(tell).observe(document.documentElement, {attributeFilter: ["lang"]});
  tell();

  const field = (event) => event.target.closest?.("#record-card .field");
  addEventListener("input", (event) => field(event)?.classList.add("typed"));
  addEventListener("focusout", (event) => setTimeout(() => field(event)?.classList.remove("typed"), 1000));

  // A result whose form has changed since is marked.
  const changed = (event) => { if (event.target.closest?.(".asked")) document.body.dataset.outdated = "yes"; };
  addEventListener("input", changed);
  addEventListener("change", changed);
  addEventListener("mousedown", (event) => { if (event.target.closest?.("[role=option]")) changed(event); });
  addEventListener("beforeunload", (leaving) => { if (copilot.hasAnythingToLose()) leaving.preventDefault(); });
}
