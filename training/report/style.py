"""The style of the report's page."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #faf9f7; --surface: #fff; --line: #dfdbd4; --text: #1d1b18; --quiet: #625d55;
  --right: #2f6fb5; --wrong: #b3400f; --track: #efece7;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #161513; --surface: #1f1d1b; --line: #37342f; --text: #edeae4; --quiet: #aaa49a;
    --right: #6ba6e8; --wrong: #f59a6b; --track: #2b2825;
  }
  /* Black on nothing becomes white on nothing, and the hues stay. */
  .plot { filter: invert(1) hue-rotate(180deg); }
}
*, *::before, *::after { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 64rem; padding: 1.5rem 1rem 4rem;
  background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif;
}
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 0 0 .75rem; font-size: 1.25rem; }
p { margin: 0 0 1rem; max-width: 44rem; }
section {
  margin-top: 1.5rem; padding: 1.25rem; background: var(--surface);
  border: 1px solid var(--line); border-radius: .625rem;
}
.figures { display: grid; grid-template-columns: repeat(4, 1fr); gap: .75rem; margin: 0; }
.figures div {
  padding: .75rem; background: var(--surface); border: 1px solid var(--line); border-radius: .625rem;
}
.figures dt { color: var(--quiet); font-size: .8125rem; line-height: 1.3; }
.figures dd { margin: .25rem 0 0; font-size: 1.125rem; font-weight: 600; }
.facts { margin: 0; }
.facts div { display: grid; grid-template-columns: 10rem 1fr; gap: .25rem 1rem; padding: .375rem 0; }
.facts dt { color: var(--quiet); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
.plot { display: block; width: 100%; height: auto; }
.wide { min-width: 36rem; }
.square { max-width: 30rem; margin: 0 auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { font-weight: 500; text-align: left; }
.classes { width: 100%; }
.classes th, .classes td { padding: .25rem .75rem .25rem 0; text-align: right; white-space: nowrap; }
.classes th:first-child { text-align: left; white-space: normal; overflow-wrap: break-word; }
.classes thead th { color: var(--quiet); font-size: .875rem; }
.classes .bar { width: 50%; padding-right: 0; }
.bar span { display: block; height: .75rem; border-radius: .25rem; background: var(--right); }
.confusion td, .samples td { text-align: center; }
.confusion { margin: 0 auto; font-size: .875rem; }
.confusion tbody td {
  min-width: 2.75rem; padding: .375rem .25rem; border: 1px solid var(--line);
  background: color-mix(in srgb, var(--tint) min(60%, var(--s) * var(--strength)), var(--surface));
}
.confusion .right { --tint: var(--right); --strength: 50%; font-weight: 600; }
.confusion .wrong { --tint: var(--wrong); --strength: 400%; }
.confusion th[scope=row] { padding-right: .5rem; text-align: right; white-space: nowrap; }
.confusion th[scope=col] { height: 6rem; vertical-align: bottom; padding: 0 0 .375rem; }
.confusion th span { display: inline-block; writing-mode: vertical-rl; rotate: 180deg; margin-left: .75rem; }
.cards {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: 1.25rem 1rem;
  margin: 0; padding: 0; list-style: none;
}
.cards figure { margin: 0; }
.cards figcaption { margin-top: .375rem; font-size: .875rem; line-height: 1.35; overflow-wrap: anywhere; }
.cards figcaption span { display: block; color: var(--quiet); font-size: .8125rem; }
.pixels { display: block; width: 100%; image-rendering: pixelated; border-radius: .25rem; }
.samples { width: 100%; min-width: 34rem; table-layout: fixed; }
.samples th { color: var(--quiet); font-size: .875rem; overflow-wrap: anywhere; }
.samples thead th { text-align: center; }
.samples td, .samples th { padding: .25rem; }
.absent { color: var(--quiet); font-style: italic; }
pre {
  margin: 0 0 .75rem; padding: .75rem; overflow-x: auto; background: var(--track);
  border-radius: .375rem; font-size: .8125rem; line-height: 1.45;
}
summary { cursor: pointer; margin-bottom: .5rem; }
@media (max-width: 40rem) {
  section { padding: 1rem .75rem; }
  .facts div { grid-template-columns: 1fr; }
  .figures { grid-template-columns: 1fr 1fr; }
  .cards { grid-template-columns: 1fr 1fr; }
  .classes .bar { width: 28%; }
}
"""
