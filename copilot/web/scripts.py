"""The little that happens in the browser: saving a file, guarding unsaved work."""

import base64
import json
from collections.abc import Sequence

#: Saves bytes as a file in the browser, so that no record is ever written on the machine that runs the copilot. What
#: was typed went along, and needs no guard any more.
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
    """A file as ``SAVE`` takes it."""
    return {"name": name, "type": media_type, "base64": base64.b64encode(content).decode()}


#: On a phone the results are far below the button.
SCROLL = """() => { if (innerWidth < 860) document.getElementById("results").scrollIntoView({behavior: "smooth"}); }"""

#: A record that was opened stands above the list it was opened from.
SHOW_RECORD = """() => document.getElementById("record-card")?.scrollIntoView({behavior: "smooth"})"""

#: Reviewed work that is neither kept nor downloaded, text that waits for the reviewer's name, or that is being typed:
#: a second after its box was left the panel has said which of them it is.
_UNSAVED = """document.querySelector("#record-card :is(.unsaved, .waiting, .typed)")"""

#: What a reload or the other language would take away: a reading, questions, words in the form.
_LOST_WITH_THE_PAGE = f"""({_UNSAVED} || document.querySelector("#results :is(.headline, .user)")
    || [...document.querySelectorAll("#left .asked textarea")].some((field) => field.value))"""


def send_theme(question: str) -> str:
    """Pictures are drawn for the theme that the browser shows: the last field of the form; unsaved work is guarded.

    What is about to be shown belongs to the form as it is.
    """
    return f"""(...values) => {{
  {_stop_unless_sure(question)}
  delete document.body.dataset.outdated;
  return [...values.slice(0, -1), document.body.classList.contains("dark")];
}}"""


def confirm_loss(question: str) -> str:
    """Ask before unsaved work on the record is lost."""
    return f"(...values) => {{ {_stop_unless_sure(question)} return values; }}"


def _stop_unless_sure(question: str) -> str:
    return f'if ({_UNSAVED} && !confirm({json.dumps(question)})) throw new Error("The visitor said no.");'


def build_head(languages: Sequence[str]) -> str:
    """For the page's head: what the browser does by itself.

    A visit gets a name that nobody can guess, which Gradio draws from ``Math.random``. The page keeps to its language,
    where Gradio tells the browser's. A reading whose form has changed since is marked. Leaving what would be lost asks.
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
