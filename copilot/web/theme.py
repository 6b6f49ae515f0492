"""How the page looks: a Gradio theme on fonts that every system has, and the style sheet. Nothing comes from the net."""

import gradio as gr

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "DejaVu Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "DejaVu Sans Mono", "monospace")


def theme() -> gr.themes.Base:
    """Calm and clinical: teal on slate, soft corners, no web fonts."""
    return gr.themes.Base(
        primary_hue="teal", secondary_hue="teal", neutral_hue="slate", radius_size="lg", font=SANS, font_mono=MONO
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_border_width="0px",
        block_shadow="none",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_padding="0px",
        block_title_text_weight="600",
        input_background_fill="white",
        input_background_fill_dark="*neutral_900",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        input_border_width="1px",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
    )


CSS = """
.gradio-container { --card: #ffffff; --line: #e2e8f0; --soft: #f1f5f9; --ink: #0f172a; --quiet: #526075;
  --negative: #c2513a; --neutral: #64748b; --positive: #0f8a7e; --warn: #b45309; --warn-soft: #fff7ed; --accent: #0f766e;
  max-width: 1360px !important; margin: 0 auto !important; padding: 0 20px 40px !important; color: var(--ink); }
.dark .gradio-container, .gradio-container.dark { --card: #0f172a; --line: #263449; --soft: #1a2538; --ink: #e8eef6;
  --quiet: #9fb0c6; --negative: #f08a70; --neutral: #94a3b8; --positive: #2dd4bf; --warn: #fbbf6b; --warn-soft: #2a2013;
  --accent: #2dd4bf; }
.dark .in-light, .in-dark { display: none !important; }
.dark .in-dark { display: block !important; }

/* head */
.notice { position: sticky; top: 0; z-index: 30; overflow: visible !important; margin: 0 -20px; }
.notice-line { background: var(--warn-soft); color: var(--warn); border-bottom: 1px solid var(--line);
  text-align: center; padding: 7px 16px; font-size: 13px; font-weight: 600; }
.masthead { display: flex; align-items: center; gap: 14px; padding: 18px 0 6px; }
.masthead svg { width: 46px; height: 46px; flex: none; }
.masthead h1 { font-size: 23px; line-height: 1.2; margin: 0; color: var(--ink); letter-spacing: -.01em; font-weight: 700; }
.masthead p { margin: 2px 0 0; color: var(--quiet); font-size: 14px; }
.badge { margin-left: auto; text-align: right; font-size: 12.5px; color: var(--quiet); flex: none; max-width: 340px; }
.badge b { color: var(--ink); }

/* cards */
.card { background: var(--card) !important; border: 1px solid var(--line) !important; border-radius: 14px !important;
  padding: 18px 20px !important; box-shadow: 0 1px 2px rgb(15 23 42 / .05); overflow: visible !important; }
.card { gap: 12px !important; }
.card .form { background: none !important; border: 0 !important; box-shadow: none; gap: 12px; overflow: visible; }
.card .block { overflow: visible; }
.card h2 { font-size: 16px; margin: 0; color: var(--ink); font-weight: 650; }
.card p { margin: 0; } .card .quiet p + p { margin-top: 8px; }
.quiet, .card .quiet p { color: var(--quiet); font-size: 13px; line-height: 1.5; }
.step { display: inline-grid; place-items: center; width: 24px; height: 24px; border-radius: 50%; margin-right: 9px;
  background: var(--accent); color: var(--card); font-size: 13px; font-weight: 700; }
.problem { background: var(--warn-soft); color: var(--warn); border-left: 4px solid var(--warn); border-radius: 8px;
  padding: 10px 14px; font-size: 14px; line-height: 1.45; overflow-wrap: anywhere; }
.good-news { color: var(--positive); font-size: 13px; overflow-wrap: anywhere; }
.urgent { border: 2px solid var(--negative); border-radius: 12px; padding: 14px 16px; white-space: pre-wrap;
  background: var(--card); line-height: 1.5; }
footer { display: none !important; }
.gradio-container :is(button, input, textarea, select, summary, a):focus-visible { outline: 3px solid var(--accent) !important;
  outline-offset: 2px; }
#left { position: sticky; top: 48px; align-self: flex-start; max-height: calc(100vh - 60px); overflow-y: auto;
  padding-bottom: 0; scrollbar-width: thin; flex-wrap: nowrap; }
#left > * { flex-shrink: 0; }
#actions { position: sticky; bottom: 0; z-index: 10; gap: 8px !important; }
.sources .wrap { display: grid !important; gap: 6px !important; }

/* what is coming */
.empty { text-align: center; padding: 34px 10px 22px; color: var(--quiet); }
.empty > svg { width: min(440px, 90%); height: 90px; color: var(--accent); opacity: .55; }
.empty h2 { margin: 10px 0 20px; font-size: 19px; }
.empty ul { list-style: none; padding: 0; margin: 0; display: grid; gap: 12px; text-align: left;
  grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); }
.empty li { background: var(--soft); border-radius: 10px; padding: 13px 15px; font-size: 13.5px; line-height: 1.45; }
.empty li b { display: block; color: var(--ink); font-size: 14.5px; }

/* progress */
.stages { list-style: none; margin: 0; padding: 0; display: grid; gap: 10px; grid-template-columns: repeat(5, 1fr); }
.stages li { font-size: 12.5px; color: var(--quiet); line-height: 1.35; }
.stages .track { height: 6px; border-radius: 3px; background: var(--soft); overflow: hidden; margin-bottom: 6px; }
.stages .track i { display: block; height: 100%; border-radius: 3px; background: var(--accent); width: 0; }
.stages .done .track i { width: 100%; }
.stages .now { color: var(--ink); font-weight: 600; }
.stages .now small { font-weight: 400; }
.stages small { display: block; color: var(--quiet); font-size: 12px; }
.stages .guess i { animation: fill linear forwards; }
@keyframes fill { from { width: 2%; } to { width: 92%; } }
.status { font-size: 14px; margin: 0 0 12px !important; color: var(--ink); min-height: 1.4em; }
.status::before { content: ""; display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin-right: 8px;
  background: var(--warn); animation: pulse 1.2s ease-in-out infinite; }
@keyframes pulse { 50% { opacity: .25; } }
@media (prefers-reduced-motion: reduce) { .stages .guess i, .status::before { animation: none; width: 50%; } }

/* signal */
.figure { display: block; width: 100%; height: auto; border-radius: 10px; border: 1px solid var(--line); }
.trust { display: flex; flex-wrap: wrap; align-items: center; gap: 10px 14px; font-size: 14px; margin-bottom: 8px; }
.pill { border-radius: 999px; padding: 3px 12px; font-weight: 650; font-size: 13px; border: 1.5px solid currentColor; }
.pill.good { color: var(--positive); } .pill.fair { color: var(--warn); } .pill.poor { color: var(--negative); }
.seconds { width: 100%; height: 14px; border-radius: 4px; display: block; background: var(--soft); }
.seconds rect { fill: var(--positive); }
.plain-list { margin: 8px 0 0; padding-left: 20px; font-size: 14px; line-height: 1.5; }
.card details { font-size: 14px; } .card summary { cursor: pointer; color: var(--accent); font-weight: 600; padding: 4px 0; }

/* reading */
.headline { display: flex; align-items: center; gap: 14px; margin: 2px 0 14px; }
.headline svg { width: 56px; height: 56px; flex: none; }
.headline strong { font-size: 21px; line-height: 1.2; color: var(--ink); display: block; letter-spacing: -.01em; }
.headline span { color: var(--quiet); font-size: 14px; }
.bars { list-style: none; margin: 0; padding: 0; display: grid; gap: 6px; }
.bars li { display: grid; grid-template-columns: 26px 98px 1fr 58px; align-items: center; gap: 8px; font-size: 14px; }
.bars svg { width: 24px; height: 24px; }
.bars .track { position: relative; height: 18px; background: var(--soft); border-radius: 5px; }
.bars .track i { position: absolute; inset: 0 auto 0 0; border-radius: 5px; min-width: 2px; }
.bars .track::after { content: ""; position: absolute; top: -3px; bottom: -3px; left: var(--chance); width: 0;
  border-left: 2px dashed var(--quiet); opacity: .75; }
.bars .value { text-align: right; font-variant-numeric: tabular-nums; }
.bars .first { font-weight: 700; }
.chance { font-size: 12px; color: var(--quiet); display: flex; gap: 7px; align-items: center; margin: 6px 0 14px 140px; }
.chance::before { content: ""; height: 13px; border-left: 2px dashed var(--quiet); }
.negative { --tone: var(--negative); } .neutral { --tone: var(--neutral); } .positive { --tone: var(--positive); }
.tone { background: var(--tone); } .face { color: var(--tone); }
.readouts { display: grid; grid-template-columns: 1fr 1fr; gap: 18px 26px; margin: 4px 0 14px; }
.readouts h3 { font-size: 13px; margin: 0 0 7px; color: var(--quiet); font-weight: 600; }
.split { display: flex; height: 22px; border-radius: 6px; overflow: hidden; gap: 2px; }
.split i { min-width: 2px; }
.legend { display: flex; flex-wrap: wrap; gap: 3px 14px; font-size: 12.5px; margin-top: 6px; color: var(--ink); }
.legend span::before { content: ""; display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 5px;
  background: var(--tone); }
.axis { position: relative; height: 22px; border-radius: 6px; opacity: .95;
  background: linear-gradient(90deg, var(--negative), var(--soft) 50%, var(--positive)); }
.axis i { position: absolute; top: -4px; bottom: -4px; width: 4px; margin-left: -2px; border-radius: 3px; background: var(--ink);
  box-shadow: 0 0 0 2px var(--card); }
.ends { display: flex; justify-content: space-between; font-size: 12.5px; margin-top: 6px; }
.essay { font-size: 15.5px; line-height: 1.65; overflow-wrap: anywhere; max-width: 75ch; }
.essay p { margin: 0 0 10px; } .essay ul { margin: 4px 0 0; padding-left: 22px; } .essay h3 { font-size: 14px; margin: 12px 0 4px; }
.gradio-container:has(.stages .now) .essay.writing p:last-of-type::after { content: "\\258D"; color: var(--accent); animation: pulse 1s infinite; }

/* chat and record */
.asks { gap: 8px !important; } .asks button { border-radius: 999px !important; font-weight: 500; min-width: fit-content !important; }
#chat { border: 1px solid var(--line); border-radius: 12px; }
.record-section { border-top: 1px solid var(--line) !important; padding-top: 10px !important; }
.record-section > button { font-weight: 650; font-size: 14.5px; }
.record-section .form { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(260px, 100%), 1fr)); gap: 12px; }
.record-section .form:has(> :only-child) { grid-template-columns: 1fr; }
#prompt textarea { font-family: var(--font-mono); font-size: 12.5px; }

@media (max-width: 860px) {
  .gradio-container, .gradio-container main { padding: 0 8px 30px !important; } .notice { margin: 0 -8px; }
  .notice-line { font-size: 12px; padding: 6px 10px; }
  #left { position: static; max-height: none; overflow: visible; }
  .masthead { flex-wrap: wrap; } .masthead div { flex: 1; min-width: 0; } .badge { margin: 0; text-align: left; flex-basis: 100%; max-width: none; }
  .masthead h1 { font-size: 20px; }
  .card { padding: 14px !important; }
  .stages { grid-template-columns: 1fr; gap: 8px; }
  .readouts { grid-template-columns: 1fr; }
  .bars li { grid-template-columns: 24px 82px 1fr 52px; gap: 6px; font-size: 13.5px; } .chance { margin-left: 118px; }
  .headline strong { font-size: 18px; }
}
"""
