import { Html } from '#core/report/html.ts';

/** The look of the report's page: light or dark as the reader has it, from a telephone to paper. */
export const PAGE_STYLE = new Html(`
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --shade: #f4f6f8;
  --bar: #9db7d5; --mark: #b3470b; --best: #0b5c8a; --meets: #1a6e35; --misses: #b0222a; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181d; --ink: #e6e9ec; --soft: #a3adb8; --line: #39424c;
  --shade: #1e242b; --bar: #45638a; --mark: #f0a36b; --best: #7cc4f0; --meets: #77d08f; --misses: #ff9a94; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 64rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .2rem 0 1rem; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; padding-top: .8rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 0 0 .4rem; }
sub { font-size: .75em; line-height: 0; }
.kind { color: var(--soft); margin: 0; }
code, pre { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .88em; }
code { overflow-wrap: anywhere; }
pre { background: var(--shade); border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .3rem 1.2rem; margin: .8rem 0; }
dt { color: var(--soft); }
dd { margin: 0; min-width: 0; }
.notice { border-left: 4px solid var(--misses); background: var(--shade); padding: .6rem .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding: .2rem 0 .5rem; }
th, td { padding: .45rem .7rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { border-bottom: 2px solid var(--line); vertical-align: bottom; }
thead th.number { white-space: normal; }
tbody th { font-weight: 600; }
.metrics tbody th { min-width: 9.5rem; }
.meaning { display: block; font-weight: 400; font-size: .88rem; color: var(--soft); max-width: 34rem; }
.number { text-align: right; white-space: nowrap; }
.best { color: var(--best); }
.meets, .misses { font-size: .82rem; color: var(--meets); }
.misses { color: var(--misses); }
.missing { color: var(--soft); font-style: italic; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.6rem; margin: 1rem 0; }
figure { margin: 0; min-width: 0; }
figcaption { color: var(--soft); font-size: .9rem; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font: 13px system-ui, "DejaVu Sans", sans-serif; }
.grid { stroke: var(--line); } .axis { stroke: var(--soft); }
.bar { fill: var(--bar); }
.overlaid .bar { opacity: .6; }
.steps { fill: none; stroke: var(--mark); stroke-width: 2.5; stroke-linejoin: round; }
.overlaid .steps { stroke-width: 1.5; }
.expected { stroke: var(--mark); stroke-width: 2.5; stroke-dasharray: 7 4; }
.band { fill: var(--mark); opacity: .18; }
.legend { margin: .2rem 0 .4rem; font-size: .88rem; }
.key { display: inline-block; width: 1.4em; height: .8em; margin: 0 .4em 0 .8em; vertical-align: -.05em; }
.key:first-child { margin-left: 0; }
.bar-key { background: var(--bar); }
.steps-key { height: 0; border-top: 3px solid var(--mark); vertical-align: .25em; }
.expected-key { height: 0; border-top: 3px dashed var(--mark); vertical-align: .25em; }
.band-key { background: var(--mark); opacity: .25; }
details { margin: .6rem 0; }
summary { cursor: pointer; }
details .charts { align-items: start; }
details table { width: auto; }
details th, details td { padding: .15rem .7rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
  table { font-size: .85rem; } th, td { padding: .4rem .3rem; } .metrics tbody th { min-width: 8rem; } }
@media print { body { max-width: none; } .scroll { overflow: visible; } section { break-inside: avoid; } }
`);
