/** How pages look, in light and in dark, on paper and on a telephone. Text has a contrast of 4.5 : 1 with what is behind it, marks 3 : 1; a test computes both. */

/** Colours by name; the second set is for dark surroundings. */
export const palettes: Readonly<Record<'light' | 'dark', Readonly<Record<string, string>>>> = {
  light: {
    paper: '#ffffff',
    panel: '#f4f6f8',
    ink: '#1b2027',
    soft: '#545d68',
    line: '#d3d9df',
    link: '#0b5cc0',
    main: '#1f6feb',
    second: '#0f766e',
    good: '#1a7f37',
    bad: '#c3222f',
    warn: '#8a5a00',
    read: '#1f6feb',
    check: '#8250df',
    embed: '#bf3989',
    wait: '#6e7781',
    commit: '#1a7f37',
  },
  dark: {
    paper: '#0f1319',
    panel: '#181e26',
    ink: '#e8ecf1',
    soft: '#a3adb8',
    line: '#333c47',
    link: '#79b8ff',
    main: '#58a6ff',
    second: '#3fc7b8',
    good: '#4cc466',
    bad: '#ff7b72',
    warn: '#e0ac3b',
    read: '#58a6ff',
    check: '#bc8cff',
    embed: '#f778ba',
    wait: '#98a2ad',
    commit: '#4cc466',
  },
};

function writeVariables(palette: Readonly<Record<string, string>>): string {
  return Object.entries(palette)
    .map(([name, color]) => `--${name}:${color}`)
    .join(';');
}

const tones = ['main', 'second', 'good', 'bad', 'warn', 'read', 'check', 'embed', 'wait', 'commit']
  .map((name) => `.tone-${name}{--tone:var(--${name})}`)
  .join('');

const rules = `
*{box-sizing:border-box}
html{background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;-webkit-text-size-adjust:100%}
body{margin:0}
main,footer{max-width:62rem;margin:0 auto;padding:1.25rem}
h1{font-size:1.6rem;line-height:1.25;margin:.2rem 0 .4rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:0 0 .8rem}
h3{font-size:1rem;margin:1.2rem 0 .2rem}figcaption h3{margin-top:0}
p{margin:.3rem 0;max-width:46rem}
section{border-top:1px solid var(--line);margin-top:2rem;padding-top:1.25rem}
.soft,figcaption p,footer{color:var(--soft)}
.state{font-weight:600}.state.good{color:var(--good)}.state.bad{color:var(--bad)}.state.warn{color:var(--warn)}
.account{display:flex;flex-wrap:wrap;align-items:end;gap:.3rem .9rem;margin:1.1rem 0 .3rem;padding:0;list-style:none}
.account li{display:flex;flex-direction:column}
.account b{font-size:1.7rem;line-height:1.15;font-variant-numeric:tabular-nums}
.account span{color:var(--soft);font-size:.9rem}
.account .sign{font-size:1.4rem;color:var(--soft);padding-bottom:1.45rem}
.verdict{font-weight:600}.verdict.good{color:var(--good)}.verdict.bad{color:var(--bad)}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(12rem,1fr));gap:.9rem 1.5rem;margin:1rem 0}
.facts dt{color:var(--soft);font-size:.875rem}.facts dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
.box{background:var(--panel);border-left:4px solid var(--line);padding:.7rem 1rem;margin:1rem 0;overflow-wrap:anywhere}
.box.bad{border-color:var(--bad)}.box.warn{border-color:var(--warn)}
.command{display:flex;flex-wrap:wrap;gap:.6rem;align-items:center;background:var(--panel);padding:.6rem .9rem;margin:.5rem 0 1rem}
.command code{flex:1 1 16rem;overflow-wrap:anywhere;white-space:pre-wrap;user-select:all}
button{font:inherit;font-size:.9rem;color:var(--link);background:var(--paper);border:1px solid var(--link);border-radius:4px;padding:.15rem .7rem;cursor:pointer}
.box code,p code{white-space:nowrap}code,pre{font:.875rem/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
pre{background:var(--panel);padding:.6rem .9rem;margin:.4rem 0;white-space:pre-wrap;overflow-wrap:anywhere}
.row{unicode-bidi:isolate;direction:ltr}
.scroll{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;width:100%;font-size:.925rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line)}
thead th{color:var(--soft);font-weight:600;font-size:.85rem;white-space:nowrap}
tbody th{font-weight:400;overflow-wrap:anywhere;min-width:7rem}tbody th code{white-space:nowrap}
.number{text-align:right;white-space:nowrap}td.text{overflow-wrap:anywhere;min-width:11rem}
td.bar{width:34%;min-width:6rem;padding-top:.55rem}.worded td.bar{width:18%}
svg{display:block}svg.bar{width:100%;height:.85rem}
svg.bar rect.solid{fill:var(--tone)}svg.bar rect.hatched{fill:url(#hatch);stroke:var(--tone);stroke-width:1;vector-effect:non-scaling-stroke}
svg .ground,svg .grid{stroke:var(--line);stroke-width:1;vector-effect:non-scaling-stroke}
figure{margin:0 0 1.8rem}figcaption{margin-bottom:.6rem}
.plot{display:grid;grid-template-columns:3.6rem 1fr;grid-template-rows:11rem auto;column-gap:.5rem}
.plot.strip{grid-template-rows:3rem;margin-bottom:.35rem}
.y-axis,.x-axis{position:relative;color:var(--soft);font-size:.8rem;line-height:1}
.y-axis span{position:absolute;right:0;white-space:nowrap;transform:translateY(50%)}
.plot.strip .y-axis span:first-child{transform:none}.plot.strip .y-axis span:last-child{transform:translateY(100%)}
.x-axis{grid-column:2;height:1.2rem;margin-top:.4rem}
.x-axis span{position:absolute;transform:translateX(-50%);white-space:nowrap}.x-axis span:first-child{transform:none}.x-axis span.last{transform:translateX(-100%)}.plot.axis-only{grid-template-rows:auto}
.area{position:relative;min-width:0}.area svg{width:100%;height:100%;overflow:visible}
.area .fill{fill:var(--tone);fill-opacity:.22}.area .edge{fill:none;stroke:var(--tone);stroke-width:2;stroke-linejoin:round;vector-effect:non-scaling-stroke}
.area i{position:absolute;top:0;bottom:0;border-left:2px solid var(--ink);pointer-events:none}
.plot output{grid-column:2;min-height:1.5em;font-size:.9rem}.plot.strip output{min-height:0}
.strips{margin:.4rem 0}.strips h4{margin:.5rem 0 .1rem;font-size:.9rem;font-weight:600}
details{margin:.5rem 0}summary{cursor:pointer;color:var(--link)}details.session>summary{font-weight:600}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
footer{border-top:1px solid var(--line);margin-top:2.5rem;font-size:.9rem}
@media (max-width:36rem){html{font-size:15px}.plot{grid-template-columns:2.8rem 1fr;grid-template-rows:8rem auto}.account b{font-size:1.35rem}.facts{grid-template-columns:repeat(2,1fr)}td.bar{min-width:4rem}td.text{min-width:13rem}.x-axis span:nth-child(even){display:none}}
@media (prefers-reduced-motion:reduce){*{transition:none!important;animation:none!important;scroll-behavior:auto!important}}
@media print{html{font-size:11px}main,footer{max-width:none;padding:0}section,figure,tr{break-inside:avoid}button,figure details{display:none}.scroll{overflow:visible}}
`;

/** Dark is chosen by the reader's system, never on paper. */
export const pageStyle: string = `:root{${writeVariables(palettes.light)}}@media screen and (prefers-color-scheme:dark){:root{${writeVariables(palettes.dark)}}}${tones}${rules}`;
