'use strict';
const data = JSON.parse(document.getElementById('data').textContent);
const several = data.runs.length > 1;
const moved = data.runs.some((run) => run.clock && run.clock !== 'wall');
const order = ['FAIL', 'ERROR', 'INCONCLUSIVE', 'NON-STRICT', 'PASS', 'INFO', 'SKIP'];
const troubles = new Set(['FAIL', 'ERROR', 'INCONCLUSIVE', 'NON-STRICT']);
const endings = {
  0: ['good', 'Passed: every MUST that was judged holds.'],
  1: ['bad', ''],
  3: ['bad', 'Not judged: the server could not be reached, or did not start.'],
  4: ['warn', 'Inconclusive: more cases could not be judged than the run allows.'],
  130: ['warn', 'Interrupted: the cases that are left were not run.'],
};
const byId = (id) => document.getElementById(id);
const plural = (count, word) => `${count} ${word}${count === 1 ? '' : 's'}`;

function element(tag, settings = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function verdict(result, name) {
  const text = result === null ? '–' : result.verdict;
  return element('b', { class: 'v', 'data-v': text, 'data-name': name }, text);
}

function passages(text) {
  // Words in back-ticks are code.
  return text.split(/`([^`]*)`/).map((part, number) => (number % 2 ? element('code', {}, part) : part));
}

/* The head of the page. */

function failing(column) {
  return data.cases.filter((one) => one.results[column] && one.results[column].fails).length;
}

function judged(column) {
  return data.cases.filter((one) => one.results[column]).length;
}

function ending(run, column) {
  const [is, said] = endings[run.status] || ['warn', `Ended with status ${run.status}.`];
  if (run.status !== 1) return [is, said];
  return [is, `Failed: ${failing(column)} of ${plural(judged(column), 'case')} ${failing(column) === 1 ? 'fails' : 'fail'} the run.`];
}

function showHead() {
  const names = data.runs.map((run) => run.name);
  byId('name').textContent = several ? `${data.runs.length} servers` : names[0];
  document.title = `${names.join(', ')}: conformance report`;
  const banner = byId('banner');
  if (several) {
    const good = data.runs.filter((run) => run.status === 0).length;
    banner.dataset.is = good === data.runs.length ? 'good' : 'bad';
    banner.textContent = `${good} of ${plural(data.runs.length, 'server')} passed.`;
  } else {
    const [is, said] = ending(data.runs[0], 0);
    banner.dataset.is = is;
    banner.textContent = `${said} Exit status ${data.runs[0].status}.`;
  }
  const run = data.runs[0];
  if (!several) byId('facts').textContent = facts(run).join(' · ');
  for (const [name, why] of Object.entries(several ? {} : run.refused)) {
    byId('facts').append(element('br'), `Clock driver ${name} is not used: ${why}`);
  }
  byId('suite').textContent = [...new Set(data.runs.map((one) => one.suite))].join(', ');
  if (several) showRuns();
}

function facts(run) {
  return [run.source, `profile ${run.profile}`, `seed ${run.seed}`, `clock ${run.clock || 'none'}`,
    `${run.seconds.toFixed(1)} s`, `ended ${run.ended.replace('T', ' ').replace('+00:00', ' UTC')}`];
}

function showRuns() {
  const present = order.filter((name) => data.cases.some((one) => one.results.some((r) => r && r.verdict === name)));
  const head = element('tr', {}, element('th', {}, 'Server'), ...present.map((name) =>
    element('th', {}, element('b', { class: 'v', 'data-v': name }, name))), element('th', {}, 'Result'));
  const rows = data.runs.map((run, column) => element('tr', {},
    element('td', {}, element('b', {}, run.name), element('div', { class: 'soft' }, facts(run).join(' · '))),
    ...present.map((name) => element('td', {},
      String(data.cases.filter((one) => one.results[column] && one.results[column].verdict === name).length))),
    element('td', {}, element('b', { class: 'v', 'data-v': run.status === 0 ? 'PASS' : run.status === 4 ? 'INCONCLUSIVE' : 'FAIL' },
      { 0: 'passed', 1: 'failed', 3: 'not reached', 4: 'inconclusive', 130: 'interrupted' }[run.status] || run.status))));
  byId('runs').append(element('table', {}, element('thead', {}, head), element('tbody', {}, ...rows)));
}

/* The filter. */

const wanted = { verdict: 'trouble', text: '', chapter: '' };

function hasVerdict(one, name) {
  const there = one.results.filter((result) => result !== null);
  if (name === 'all') return true;
  if (name === 'trouble') return there.some((result) => troubles.has(result.verdict) || result.fails);
  return there.some((result) => result.verdict === name);
}

function showFilter() {
  const chips = [['trouble', 'Not passed'], ['all', 'All'], ...order.map((name) => [name, name])];
  for (const [name, label] of chips) {
    const count = data.cases.filter((one) => hasVerdict(one, name)).length;
    if (!count && name !== 'all') continue;
    byId('verdicts').append(element('button', {
      type: 'button', 'data-name': name,
      onclick: () => { wanted.verdict = name; show(); },
    }, `${label} ${count}`));
  }
  if (!data.cases.some((one) => hasVerdict(one, 'trouble'))) wanted.verdict = 'all';
  byId('chapter').append(element('option', { value: '' }, 'All chapters'));
  for (const [name, about] of Object.entries(data.chapters)) {
    if (!data.cases.some((one) => one.chapter === name)) continue;
    byId('chapter').append(element('option', { value: name }, `${name} ${about}`));
  }
  byId('text').addEventListener('input', (event) => { wanted.text = event.target.value; show(); });
  byId('chapter').addEventListener('change', (event) => { wanted.chapter = event.target.value; show(); });
  byId('filter').addEventListener('submit', (event) => event.preventDefault());
}

function matches(one) {
  if (!hasVerdict(one, wanted.verdict)) return false;
  if (wanted.chapter && one.chapter !== wanted.chapter) return false;
  const said = [one.id, one.title, one.level, ...one.rules, ...one.results.flatMap((result) =>
    (result ? [result.why, result.expected, result.found, result.verdict] : []))].join(' ').toLowerCase();
  return wanted.text.toLowerCase().split(/\s+/).every((word) => said.includes(word));
}

/* The cases. */

const places = new Map();

function build() {
  const columns = data.runs.map(() => (several ? 'minmax(6.6rem, 9rem)' : '6.6rem')).join(' ');
  byId('cases').style.setProperty('--columns', columns);
  for (const [chapter, about] of [...Object.entries(data.chapters)]) {
    const cases = data.cases.filter((one) => one.chapter === chapter);
    if (!cases.length) continue;
    const rows = element('div', { class: 'rows' });
    if (several) {
      rows.append(element('div', { class: 'heads' }, element('span', {}, 'Case'),
        ...data.runs.map((run) => element('span', {}, run.name))));
    }
    for (const one of cases) {
      const row = caseRow(one);
      places.set(one.id, { one, row });
      rows.append(row);
    }
    byId('cases').append(element('section', { class: 'chapter' },
      element('h2', {}, `${chapter} `, element('span', {}, about)), rows));
  }
}

function caseRow(one) {
  const level = one.level === 'MUST' ? null : element('span', { class: 'tag' }, one.level);
  const known = one.results.some((result) => result && result.known) ? element('span', { class: 'tag' }, 'expected to fail') : null;
  const row = element('div', { class: 'case', id: one.id },
    element('button', { type: 'button', 'aria-expanded': 'false', onclick: () => toggle(one.id) },
      element('span', { class: 'what' }, element('span', { class: 'id mono' }, one.id),
        element('span', { class: 'title' }, one.title, level, known)),
      element('span', { class: 'cells' }, ...one.results.map((result, column) =>
        verdict(result, several ? data.runs[column].name : undefined)))));
  return row;
}

function toggle(id, open) {
  const { one, row } = places.get(id);
  const button = row.firstElementChild;
  const opens = open === undefined ? button.getAttribute('aria-expanded') === 'false' : open;
  button.setAttribute('aria-expanded', String(opens));
  if (opens && row.children.length === 1) row.append(details(one));
  if (row.children[1]) row.children[1].hidden = !opens;
}

function details(one) {
  const more = element('div', { class: 'more' });
  const results = one.results.map((result, column) => ({ result, column })).filter(({ result }) => result !== null);
  // Whoever opens a case of several servers looks for the one that failed.
  results.sort((a, b) => order.indexOf(a.result.verdict) - order.indexOf(b.result.verdict));
  if (several) more.append(...meaning(one));
  for (const { result, column } of results) {
    more.append(element('div', { class: 'server' },
      several ? element('h2', {}, `${data.runs[column].name} `, verdict(result)) : null,
      ...outcome(result), ...(several ? [] : meaning(one)), ...evidence(result)));
  }
  return more;
}

function meaning(one) {
  return [element('h3', {}, 'What is judged, and why it matters'),
    element('p', { class: 'why' }, ...passages(one.explain)),
    element('h3', {}, one.rules.length === 1 ? 'The rule' : 'The rules'),
    ...one.rules.map((id) => element('p', { class: 'rule' }, element('b', { class: 'mono' }, id), ...passages(data.rules[id]))),
    element('p', { class: 'soft' }, `${one.level}, judged in profile ${one.profile} and above`
      + (one.needs.length ? `; needs ${one.needs.join(', ')}` : '')
      + (one.begins && moved ? `; begins at ${one.begins} of the market's time` : ''))];
}

function outcome(result) {
  const parts = [];
  if (result.surprise) {
    parts.push(element('p', {}, `It passed, but the target file expects a failure: ${result.known}. Take it from the list.`));
  } else if (result.known) {
    parts.push(element('p', {}, `The target file expects it to fail: ${result.known}`));
  }
  if (result.expected) {
    parts.push(element('div', { class: 'sides' },
      element('div', { class: 'side want' }, element('h3', {}, 'Expected'), element('p', {}, result.expected)),
      element('div', { class: 'side got' }, element('h3', {}, 'Found'), element('p', {}, result.found))));
  } else if (result.why) {
    parts.push(element('p', {}, result.why));
  }
  if (result.seen.length) {
    parts.push(element('p', { class: 'soft' }, `Seen in ${result.seen.join(', ')}`));
  }
  for (const [name, value] of Object.entries(result.measured)) {
    parts.push(element('p', { class: 'mono' }, `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`));
  }
  parts.push(element('h3', {}, 'Run this case alone'), command(result.again));
  return parts;
}

function evidence(result) {
  const parts = [];
  if (result.trace) parts.push(folded('Traceback of the suite', element('pre', {}, result.trace), true));
  if (result.wire.length) parts.push(wire(result));
  if (result.log.length) {
    parts.push(folded(`What server and feed said (${plural(result.log.length, 'line')})`, element('pre', {}, result.log.join('\n')), false));
  }
  return parts;
}

function command(text) {
  const button = element('button', { type: 'button' }, 'Copy');
  button.addEventListener('click', async () => {
    const code = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = 'Copied';
    } catch {
      // A page that was opened from a file may not write to the clipboard everywhere.
      getSelection().selectAllChildren(code);
      button.textContent = 'Selected';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 2000);
  });
  return element('div', { class: 'command' }, element('pre', {}, text), button);
}

function folded(title, content, open) {
  return element('details', { open: open ? '' : undefined }, element('summary', {}, title), content);
}

function wire(result) {
  const log = element('div', { class: 'wire mono' }, ...result.wire.map(frame));
  if (result.left_out) {
    const middle = element('div', { class: 'frame', 'data-d': 'note' },
      element('span', { class: 'says', style: 'grid-column: 1 / -1' }, `${plural(result.left_out, 'frame')} in between not kept`));
    log.insertBefore(middle, log.children[Math.ceil(result.wire.length / 2)] || null);
  }
  const trouble = troubles.has(result.verdict) || result.fails;
  return folded(`What went over the wire (${plural(result.wire.length, 'line')}; → to the server, ← from it; click a message to see it whole)`, log, trouble);
}

function frame([ms, peer, direction, text]) {
  return element('div', { class: 'frame', 'data-d': direction },
    element('span', { class: 'ms' }, `${ms.toFixed(1)} ms`),
    element('span', { class: 'peer' }, peer),
    element('span', { class: 'dir' }, { out: '→', in: '←', note: '·' }[direction] || direction),
    says(text));
}

function digest(value) {
  // What is looked for first in a quote, the time of its trade, stands far behind.
  const at = value.data && value.data.timestamp;
  if (value.type !== 'market_data' || !Number.isSafeInteger(at) || Math.abs(at) > 4e12) return null;
  const time = new Date(at + 5.5 * 3600 * 1000).toISOString().slice(11, 23);
  return element('b', { class: 'digest' }, `${value.symbol} ${value.data.ltp} of ${time}`);
}

function says(text) {
  let value;
  try { value = JSON.parse(text); } catch { value = null; }
  if (value === null || typeof value !== 'object') return element('span', { class: 'says' }, text);
  return element('div', {}, digest(value), raw(text, value));
}

function raw(text, value) {
  const button = element('button', { type: 'button', class: 'says', 'aria-expanded': 'false', title: 'Show it line by line' }, text);
  button.addEventListener('click', () => {
    const opens = button.getAttribute('aria-expanded') === 'false';
    button.setAttribute('aria-expanded', String(opens));
    button.textContent = opens ? JSON.stringify(value, null, 2) : text;
  });
  return button;
}

function show() {
  let count = 0;
  for (const { one, row } of places.values()) {
    row.hidden = !matches(one);
    count += !row.hidden;
  }
  for (const section of document.querySelectorAll('section.chapter')) {
    section.hidden = ![...section.querySelectorAll('.case')].some((row) => !row.hidden);
  }
  for (const chip of byId('verdicts').children) {
    chip.setAttribute('aria-pressed', String(chip.dataset.name === wanted.verdict));
  }
  byId('shown').textContent = count === data.cases.length
    ? `All ${plural(count, 'case')}.`
    : `${count} of ${plural(data.cases.length, 'case')}. ${count ? 'Click a case to see what happened and how to run it again.' : 'None is like this.'}`;
}

function goToHash() {
  const id = decodeURIComponent(location.hash.slice(1));
  if (!places.has(id)) return false;
  if (places.get(id).row.hidden) {
    Object.assign(wanted, { verdict: 'all', text: '', chapter: '' });
    byId('text').value = byId('chapter').value = '';
    show();
  }
  toggle(id, true);
  places.get(id).row.scrollIntoView();
  return true;
}

showHead();
showFilter();
build();
show();
if (!goToHash()) {
  const first = data.cases.find((one) => one.results.some((result) => result && result.fails));
  if (first) toggle(first.id, true);
}
window.addEventListener('hashchange', goToHash);
