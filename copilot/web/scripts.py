"""Define the JavaScript of the page: saving a file, guarding unsaved work."""

import base64
import json
from collections.abc import Sequence

#: Saves bytes as a file in the browser, so that no record is ever written on the machine that runs the copilot. Texts
#: that were being typed are in the file, and need no guard any more.
SAVE = """(file) => {
  if (!file) return;
  const bytes = Uint8Array.from(atob(file.base64), (letter) => letter.charCodeAt(0));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], {type: file.type}));
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  document.querySelectorAll("#record-card .typed").forEach((field) => field.classList.remove("typed"));
}"""


def encode_download(name: str, media_type: str, content: bytes) -> dict[str, str]:
    """Return a file as ``SAVE`` takes it."""
    return {"name": name, "type": media_type, "base64": base64.b64encode(content).decode()}


#: On a phone the results are far below the button.
SCROLL = """() => { if (innerWidth < 860) document.getElementById("results").scrollIntoView({behavior: "smooth"}); }"""

#: A record is shown above the list from which it was opened.
SHOW_RECORD = """() => document.getElementById("record-card")?.scrollIntoView({behavior: "smooth"})"""

#: Reviewed work that is neither kept nor downloaded, text that waits for the reviewer's name, or that is being typed:
#: a second after its text field was left the panel shows which of them it is.
_UNSAVED = """document.querySelector("#record-card :is(.unsaved, .waiting, .typed)")"""

#: What a reload or a change of language would lose: a result, questions, texts in the form.
_LOST_WITH_THE_PAGE = f"""({_UNSAVED} || document.querySelector("#results :is(.headline, .user)")
    || [...document.querySelectorAll("#left .asked textarea")].some((field) => field.value))"""


def send_theme(question: str) -> str:
    """Return a script that asks before unsaved work is lost, and sends the theme as the form's last field.

    Pictures are drawn for that theme. The mark of an outdated result is removed, since a new one follows.
    """
    return f"""(...values) => {{
  {_stop_unless_sure(question)}
  delete document.body.dataset.outdated;
  return [...values.slice(0, -1), document.body.classList.contains("dark")];
}}"""


def confirm_loss(question: str) -> str:
    """Return a script that asks before unsaved work on the record is lost."""
    return f"(...values) => {{ {_stop_unless_sure(question)} return values; }}"


def _stop_unless_sure(question: str) -> str:
    return f'if ({_UNSAVED} && !confirm({json.dumps(question)})) throw new Error("The visitor said no.");'


def build_head(languages: Sequence[str]) -> str:
    """Return the script for the page's head.

    It gives a session a name that cannot be guessed (Gradio takes it from ``Math.random``), keeps the page's own
    language where Gradio sets the browser's, marks a result whose form has changed since, and asks before the page
    is left with work that would be lost.
    """
    return f"""<script>
  Math.random = () => {{
    const [high, low] = crypto.getRandomValues(new Uint32Array(2));
    return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
  }};
  const ending = location.pathname.split("/").pop();
  const language = {json.dumps(list(languages))}.includes(ending) ? ending : {json.dumps(languages[0])};
  const tell = () => {{ if (document.documentElement.lang !== language) document.documentElement.lang = language; }};
  new MutationObserver(tell).observe(document.documentElement, {{attributeFilter: ["lang"]}});
  tell();
  const field = (event) => event.target.closest?.("#record-card .field");
  addEventListener("input", (event) => field(event)?.classList.add("typed"));
  addEventListener("focusout", (event) => setTimeout(() => field(event)?.classList.remove("typed"), 1000));
  const changed = (event) => {{ if (event.target.closest?.(".asked")) document.body.dataset.outdated = "yes"; }};
  addEventListener("input", changed);
  addEventListener("change", changed);
  addEventListener("mousedown", (event) => {{ if (event.target.closest?.("[role=option]")) changed(event); }});
  addEventListener("beforeunload", (leaving) => {{ if ({_LOST_WITH_THE_PAGE}) leaving.preventDefault(); }});
</script>"""
