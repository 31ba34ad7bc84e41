/** Two pages in plain HTML: no scripts, nothing from elsewhere, no data. They can be open to everybody. */
import type { ServerFacts } from './exchange.ts';
import { parameterTexts } from './parameter-list.ts';
import { listShown, type Route } from './route-table.ts';

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
code,pre{font-family:ui-monospace,monospace;background:#f3f3f3;border-radius:4px;padding:.1em .3em}pre{padding:.8rem;overflow-x:auto}
h2{margin-top:2.5rem;border-top:1px solid #ddd;padding-top:1rem;font-size:1.1rem}dt{margin-top:.4rem}dd{margin:0 0 0 1.5rem}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}code,pre{background:#2a2a2a}h2{border-color:#444}a{color:#8bf}}`;

function writePage(title: string, content: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title><style>${style}</style></head>
<body><h1>${escape(title)}</h1>
${content}
</body></html>
`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** Texts mark code by backquotes. */
function markUp(text: string): string {
  return escape(text).replace(/`([^`]+)`/g, '<code>$1</code>');
}

/** Every route with its methods, permissions and parameters. */
export function writeDocsPage(routes: readonly Route[], hasAuth: boolean): string {
  const who = hasAuth ? 'Requests are signed in by HTTP Basic.' : 'This server has no users: every request is allowed.';
  const links = '<a href="/openapi.json">openapi.json</a> is the same for programs.';
  return writePage('sluice serve: routes', `<p>${who} ${links}</p>\n${routes.flatMap(listShown).map(writeRoute).join('\n')}`);
}

function writeRoute(route: Route): string {
  const methods = route.methods === 'any' ? 'any method' : route.methods.join(', ');
  const needs =
    route.permissions.length === 0 ? 'open to everybody' : `needs ${route.permissions.map((name) => `<code>${name}</code>`).join(' and ')}`;
  const parameters = route.parameters.map((name) => `<dt><code>${name}</code></dt><dd>${markUp(parameterTexts[name])}</dd>`).join('');
  return `<h2><code>${escape(route.path)}</code></h2>
<p>${markUp(route.summary)} <small>${methods}; ${needs}.</small></p>
<details><summary>Parameters</summary><dl>${parameters}</dl></details>`;
}

/** Where `/` leads to. */
export function writeConsolePage({ address, hasTls }: ServerFacts): string {
  const example = `curl -XPOST '${hasTls ? 'https' : 'http'}://${address}/db/execute?timings' -H 'Content-Type: application/json' \\
  -d '["CREATE TABLE IF NOT EXISTS foo (id INTEGER PRIMARY KEY, name TEXT)", ["INSERT INTO foo(name) VALUES(?)", "fiona"]]'`;
  return writePage(
    'sluice serve',
    `<p>An SQLite database over HTTP. <a href="/docs">The routes</a> · <a href="/status?pretty">status</a> · <a href="/metrics">metrics</a> ·
<a href="/nodes?pretty">nodes</a> · <a href="/readyz">readiness</a></p>\n<pre>${escape(example)}</pre>`,
  );
}
