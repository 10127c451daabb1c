'use strict';
// Draws the report that stands in the page as JSON (see json.h). Needs nothing from anywhere else.
// A mistake in here is left on <html data-error>, where a test finds it.
addEventListener('error', event => { document.documentElement.dataset.error = event.message; });

const report = JSON.parse(document.getElementById('data').textContent);

// ---- words and numbers ----------------------------------------------------------------------------

/** Three significant digits with commas, never an exponent. */
function three(number) {
  if (number === null || !Number.isFinite(number)) return '–';
  if (number === 0) return '0';
  const rounded = Number(number.toPrecision(3));
  if (Math.abs(rounded) >= 1000) return rounded.toLocaleString('en-US', {maximumFractionDigits: 0});
  const decimals = 2 - Math.floor(Math.log10(Math.abs(rounded)) + 1e-9);
  return rounded.toFixed(Math.min(Math.max(decimals, 0), 12));
}

const whole = number => Number.isInteger(number) ? number.toLocaleString('en-US') : three(number);

function scaled(value, units, step) {
  let unit = 0;
  while (Math.abs(value) >= 999.5 && unit + 1 < units.length) { value /= step; ++unit; }
  return `${three(value)} ${units[unit]}`;
}

const bytes = value => scaled(value, ['B', 'kB', 'MB', 'GB', 'TB'], 1000);
const micros = value => value === 0 ? '0' : scaled(value, ['µs', 'ms', 's'], 1000);
/** Tick labels want no trailing zeros. */
const bare = text => text.replace(/(\.\d*?)0+(?= |$)/, '$1').replace(/\.(?= |$)/, '');

const units = {
  us: micros,
  B: bytes,
  '/s': value => `${three(value)}/s`,
};

const capital = text => text.charAt(0).toUpperCase() + text.slice(1);
const ratio = value => `${three(value)} ×`;
const listed = names => names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
const plural = (count, word) => `${whole(count)} ${word}${count === 1 ? '' : 's'}`;

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  if (!sorted.length) return NaN;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// ---- elements -------------------------------------------------------------------------------------

function element(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter(child => child !== undefined && child !== null && child !== ''));
  return node;
}

const h = (tag, attributes, ...children) => element(document.createElement(tag), attributes, children);
const s = (tag, attributes, ...children) =>
  element(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

let pictures = 0;

/** An SVG that says in words what it shows. */
function picture(width, height, title, description) {
  const id = `picture-${++pictures}`;
  return s('svg', {viewBox: `0 0 ${width} ${height}`, width, height, role: 'img',
                   'aria-labelledby': `${id}-title ${id}-text`},
           s('title', {id: `${id}-title`}, title), s('desc', {id: `${id}-text`}, description));
}

const drawn = [];

/** A place whose picture follows its width; `draw` gets the width and returns the picture. */
function place(draw) {
  const box = h('div', {class: 'chart'});
  const entry = {box, draw, width: 0};
  drawn.push(entry);
  return box;
}

const on_paper = {wide: 820, card: 460};

function draw_all(force, paper) {
  for (const entry of drawn) {
    const width = paper ? on_paper[entry.box.closest('.cards') ? 'card' : 'wide'] : Math.floor(entry.box.clientWidth);
    if (width > 0 && (force || width !== entry.width)) {
      entry.width = width;
      entry.box.replaceChildren(entry.draw(width));
    }
  }
}

// ---- systems: one colour, one dash, one mark each ---------------------------------------------------

const looks = {
  roomd: {colour: 'var(--roomd)', dash: '', mark: 'circle'},
  redis: {colour: 'var(--redis)', dash: '7 3', mark: 'square'},
  nats: {colour: 'var(--nats)', dash: '2 3', mark: 'triangle'},
  mosquitto: {colour: 'var(--mosquitto)', dash: '9 3 2 3', mark: 'diamond'},
  floor: {colour: 'var(--floor)', dash: '4 3', mark: 'bar'},
};
const spare = [{colour: 'var(--other-1)', dash: '12 4', mark: 'square'},
               {colour: 'var(--other-2)', dash: '5 2 1 2', mark: 'diamond'}];

function look(system) {
  looks[system] ??= spare[Object.keys(looks).length % spare.length];
  return looks[system];
}

function mark(system, x, y, size = 4) {
  const {colour, mark: shape} = look(system);
  const at = {fill: colour, stroke: 'var(--card)', 'stroke-width': 1};
  const polygon = points => s('polygon', {...at, points: points.map(([dx, dy]) => `${x + dx * size},${y + dy * size}`).join(' ')});
  switch (shape) {
  case 'square': return polygon([[-1, -1], [1, -1], [1, 1], [-1, 1]]);
  case 'triangle': return polygon([[0, -1.3], [1.2, 1], [-1.2, 1]]);
  case 'diamond': return polygon([[0, -1.4], [1.4, 0], [0, 1.4], [-1.4, 0]]);
  case 'bar': return polygon([[-1.2, -.5], [1.2, -.5], [1.2, .5], [-1.2, .5]]);
  default: return s('circle', {...at, cx: x, cy: y, r: size + .5});
  }
}

// ---- the report, cut into scenarios -----------------------------------------------------------------

/** The rows of one scenario in one dialect; a series keeps its points together. In the order of the report. */
function grouped(rows) {
  const groups = new Map();
  for (const row of rows) {
    const {name, dialect} = row.scenario;
    const key = JSON.stringify([name, dialect, row.series, row.series === '' ? row.at : 0]);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row);
  }
  return [...groups.values()];
}

const groups = grouped(report.rows);
const complete = row => row.runs.filter(run => run.ok);
const first_metric = group => group.flatMap(row => row.figures)[0]?.metric;
const figure_of = (row, metric) => row?.figures.find(figure => figure.metric === metric);
const row_of = (group, system) => group.find(row => row.system === system);
const runs_text = row => plural(row.runs.length, 'run') +
  (['idle', 'connect'].includes(row.scenario.load) ? '' : ` of ${bare(whole(row.scenario.seconds) + ' ').trim()} s`);
const dialect_text = row => row.scenario.dialect === 'plain' ? '' : `${row.scenario.dialect} format`;
const base_title = row => !row.series ? row.scenario.name
  : row.scenario.name === 'growth' ? `Growth with ${row.series}` : `${row.scenario.name}: growth with ${row.series}`;
const title_of = group => [base_title(group[0]), dialect_text(group[0])].filter(Boolean).join(', ');
/** The title says the dialect already. */
const subtitle_of = group => group[0].scenario.description.replace(/, \w+ format$/, '');
const anchor = text => text.toLowerCase().replace(/[^a-z0-9]+/g, '-');

// ---- tables -----------------------------------------------------------------------------------------

/**
 * `head`: texts; a cell is a text or {text, class}. The first cell of a row names it. Columns that say nothing are
 * left out.
 */
function table(caption, all_heads, all_rows) {
  const says = value => value?.text !== undefined || !['', '–', undefined, null].includes(value);
  const used = all_heads.map((_, index) => index === 0 || all_rows.some(row => says(row.cells[index])));
  const keep = cells => cells.filter((_, index) => used[index]);
  const head = keep(all_heads);
  const rows = all_rows.map(row => ({...row, cells: keep(row.cells)}));
  const cell = (tag, value, attributes) => {
    const {text, ...others} = typeof value === 'object' && value !== null ? value : {text: value};
    return h(tag, {...attributes, ...others}, text);
  };
  const body = rows.map(row => h('tr', {class: row.class},
    row.cells.map((value, index) => index === 0 ? cell('th', value, {scope: 'row'}) : cell('td', value))));
  return h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption},
    h('table', {}, h('caption', {}, h('span', {}, caption)),
      h('thead', {}, h('tr', {}, head.map(name => cell('th', name, {scope: 'col'})))),
      h('tbody', {}, body)));
}

const row_class = row => row.system === 'roomd' ? 'roomd' : undefined;

function figures_table(group, metric) {
  const ours = figure_of(row_of(group, 'roomd'), metric)?.median;
  const one = group.flatMap(row => row.figures).find(figure => figure.metric === metric);
  const timed = one.unit === 'us';
  const show = timed ? three : units[one.unit];
  const rows = group.map(row => {
    const figure = figure_of(row, metric);
    const failed = row.runs.length - complete(row).length;
    return {class: row_class(row), cells: [
      failed ? {text: h('span', {}, row.name, ' ', h('small', {class: 'missed'}, `${row.runs.length - failed} of ${row.runs.length}`))} : row.name,
      figure ? show(figure.median) : row.runs.length ? 'incomplete' : 'not run',
      figure && row.runs.length > 1 ? `${show(figure.least)} – ${show(figure.most)}` : '',
      row.system === 'floor' ? '1.00' : figure?.to_floor ? three(figure.to_floor) : '',
      figure && ours && group.length > 1 ? three(figure.median / ours) : '',
      metric === 'cost_us' && figure ? three(median(complete(row).map(run => run.deliveries_per_second))) : '',
    ]};
  });
  return table(`${capital(one.label)}${timed ? ' in µs' : ''}, median of ${runs_text(group[0])}`,
               ['System', 'Median', 'Least – most', '× floor', '× roomd', 'Deliveries/s'], rows);
}

const range_text = ({least, most, unit}) => `${units[unit](least)} – ${units[unit](most)}`;

// ---- notes: what failed, who was the bottleneck, what was promised ------------------------------------

function notes(rows) {
  const found = [];
  for (const row of rows) {
    const failed = row.runs.filter(run => !run.ok);
    if (failed.length) {
      const where = row.series ? ` at ${whole(row.at)} ${row.series}` : '';
      found.push(h('p', {class: 'note bad'}, h('b', {}, `${row.name}${where}: incomplete in ${failed.length} of ${plural(row.runs.length, 'run')}. `),
                   failed[0].failure));
    }
  }
  const bound = [...new Set(rows.filter(row => row.runs.some(run => run.generator_bound)).map(row => row.name))];
  if (bound.length) {
    found.push(h('p', {class: 'note'}, `The generator was the bottleneck with ${listed(bound)}: rate and latency there are its own, the cost is the server’s.`));
  }
  const late = rows.filter(row => row.sender_late).map(row => row.name);
  if (late.length) {
    found.push(h('p', {class: 'note bad'}, `The sender itself was late with ${listed([...new Set(late)])}: latencies there are the generator’s as much as the server’s.`));
  }
  return found;
}

const verdict = goal => goal.met ? {text: '✓ met', class: 'met'} : {text: '✗ not met', class: 'missed'};

/** Goals that are worded alike, at several points of a series, become one line. */
function goal_lines(rows) {
  const alike = new Map();
  for (const row of rows) {
    for (const goal of row.goals) {
      const key = `${goal.met} ${goal.text}`;
      if (!alike.has(key)) alike.set(key, {goal, at: []});
      if (row.series) alike.get(key).at.push(whole(row.at));
    }
  }
  if (!alike.size) return '';
  return h('ul', {class: 'goals'}, [...alike.values()].map(({goal, at}) => {
    const {text, class: kind} = verdict(goal);
    return h('li', {}, h('span', {class: kind}, text), ' ', goal.text, at.length ? `, at ${listed(at)} ${rows[0].series}` : '');
  }));
}

/** What to type to have this again, if the report says so. */
function repeat(row) {
  return row.repeat && groups.length > 1 ? h('details', {class: 'repeat'}, h('summary', {}, 'Repeat this'), h('code', {class: 'command'}, row.repeat)) : '';
}

function card(group, wide, subtitle, ...children) {
  return h('figure', {class: wide ? 'wide' : undefined, id: anchor(title_of(group))},
    h('header', {}, h('h3', {}, title_of(group)), h('p', {}, subtitle)), children,
    notes(group), goal_lines(group), repeat(group[0]));
}

// ---- bars -------------------------------------------------------------------------------------------

let log_bars = true;

function log_ticks(low, high, most) {
  const decades = Math.log10(high / low);
  const steps = decades > most ? [1] : decades > most / 2 ? [1, 3] : decades > .7 ? [1, 2, 5] : [1, 1.2, 1.5, 2, 3, 4, 5, 7];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); ++power) {
    for (const step of steps) {
      const tick = Number((step * 10 ** power).toPrecision(3));
      if (tick >= low * .999 && tick <= high * 1.001) ticks.push(tick);
    }
  }
  const thin = Math.ceil(decades / (most * 1.5));
  return thin > 1 ? ticks.filter((_, index) => index % thin === 0) : ticks;
}

function linear_ticks(high, most) {
  const raw = high / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].find(factor => factor * power >= raw) * power;
  return Array.from({length: Math.floor(high / step * 1.001) + 1}, (_, index) => Number((index * step).toPrecision(6)));
}

/** The texts under an axis; those that would run into the one before are left out. */
function tick_texts(places, y) {
  let end = -Infinity;
  return places.flatMap(({at, text}) => {
    const half = text.length * 3.4;
    if (at - half < end + 6) return [];
    end = at + half;
    return [s('text', {x: at, y, 'text-anchor': 'middle'}, text)];
  });
}

/** One bar for each system. Where there is a floor, a bar on the log scale begins at it. */
function bars(group, metric) {
  const rows = group.filter(row => row.system !== 'floor');
  const figures = rows.map(row => figure_of(row, metric));
  const known = figures.filter(Boolean);
  const floor = figure_of(row_of(group, 'floor'), metric);
  const show = units[known[0]?.unit ?? 'us'];
  const description = rows.map((row, index) => {
    const figure = figures[index];
    if (!figure) return `${row.name}: incomplete.`;
    return `${row.name} ${show(figure.median)}` + (figure.to_floor ? `, ${three(figure.to_floor)} times the floor.` : '.');
  }).join(' ');

  return place(width => {
    const log = log_bars && floor;
    const top = floor ? 26 : 8, step = 30, thick = 16;
    const left = 82, right = width - (floor ? 138 : 80);
    const bottom = top + rows.length * step;
    const svg = picture(width, bottom + 26, `${title_of(group)}: ${known[0]?.label ?? metric}`, description);
    if (!known.length) return svg;
    const base = floor?.median ?? 1;
    const highest = Math.max(...known.map(figure => figure.most), base * (floor ? 1 : 0));
    const lowest = Math.min(...known.map(figure => figure.least), floor ? base : Infinity);
    const low = log ? Math.min(base, lowest) : 0;
    const high = log ? Math.max(highest, low * 1.5) : highest;
    const span = right - left;
    const x = value => left + span * (log ? Math.log(Math.max(value, low) / low) / Math.log(high / low) : value / high);
    const origin = log ? x(base) : left;

    const ticks = log ? log_ticks(low / base, high / base, span / 62) : linear_ticks(high, Math.max(2, span / 78));
    const places = ticks.map(tick => ({at: x(log ? tick * base : tick), text: log ? `${bare(three(tick))} ×` : bare(show(tick))}));
    for (const {at} of places) svg.append(s('line', {class: 'grid', x1: at, x2: at, y1: top - 4, y2: bottom}));
    svg.append(...tick_texts(places, bottom + 16));
    rows.forEach((row, index) => {
      const figure = figures[index];
      const y = top + index * step + step / 2;
      svg.append(s('text', {class: row.system === 'roomd' ? 'strong' : 'name', x: left - 10, y: y + 4, 'text-anchor': 'end'}, row.name));
      if (!figure) {
        svg.append(s('text', {x: origin + 8, y: y + 4}, row.runs.length ? 'incomplete' : 'not run'));
        return;
      }
      const end = x(figure.median);
      svg.append(
        s('g', {}, s('title', {}, `${row.name}: ${show(figure.median)} (${range_text(figure)})`),
          s('rect', {x: Math.min(origin, end), y: y - thick / 2, width: Math.max(Math.abs(end - origin), 2), height: thick, rx: 2, fill: look(row.system).colour}),
          row.runs.length > 1 ? s('path', {class: 'range', fill: 'none', d: `M${x(figure.least)} ${y}H${x(figure.most)}M${x(figure.least)} ${y - 4}v8M${x(figure.most)} ${y - 4}v8`}) : ''),
        s('text', {class: 'strong', x: width - (floor ? 56 : 0), y: y + 4, 'text-anchor': 'end'}, show(figure.median)));
      if (figure.to_floor) svg.append(s('text', {x: width, y: y + 4, 'text-anchor': 'end'}, ratio(figure.to_floor)));
    });
    if (floor) {
      const at = x(base);
      const text = `floor ${show(base)}`;
      const near_left = at < left + 40;
      svg.append(s('line', {class: 'floor', x1: at, x2: at, y1: top - 6, y2: bottom}),
                 s('text', {x: near_left ? Math.min(at, left) : at, y: 12, 'text-anchor': near_left ? 'start' : 'middle'}, text),
                 s('text', {x: width, y: 12, 'text-anchor': 'end'}, '× floor'));
    } else {
      svg.append(s('line', {class: 'axis', x1: left, x2: left, y1: top - 4, y2: bottom}));
    }
    return svg;
  });
}

/** The sentence under a picture of bars. */
function bars_caption(group, metric) {
  const ours = figure_of(row_of(group, 'roomd'), metric);
  if (!ours) return '';
  const less = ours.less_is_better;
  const peers = group.filter(row => !['roomd', 'floor'].includes(row.system) && figure_of(row, metric))
    .map(row => ({name: row.name, value: figure_of(row, metric).median}))
    .sort((a, b) => less ? a.value - b.value : b.value - a.value);
  const parts = [h('strong', {}, `roomd: ${units[ours.unit](ours.median)}`)];
  if (ours.to_floor) parts.push(`, ${three(ours.to_floor)} times the floor`);
  parts.push('. ');
  if (!peers.length && ours.to_best_peer && report.rows.some(row => row.system === ours.best_peer)) {
    const {name} = report.rows.find(row => row.system === ours.best_peer);
    parts.push(`The nearest of the others, ${name}, which has but one format, costs ${three(1 / ours.to_best_peer)} times as much.`);
  }
  if (peers.length) {
    const best = peers[0];
    const times = best.value / ours.median;
    const verb = {cost_us: 'costs', resident_bytes: 'takes', bytes_per_connection: 'takes'}[ours.metric] ?? 'has';
    parts.push(`${peers.length > 1 ? 'The nearest of the others, ' : ''}${best.name}${peers.length > 1 ? ',' : ''} ${verb} ${three(times)} times as much.`);
  }
  return h('figcaption', {}, parts);
}

// ---- lines ------------------------------------------------------------------------------------------

/**
 * Lines over a common axis. `lines`: [{system, name, points: [[x, y]], band: [[x, low, high]]}].
 * `x` and `y`: {log, ticks, show, label, low, high}; `read` says what stands at a place of the axis.
 */
function chart(title, description, lines, {x, y, marks, read}) {
  const readout = h('li', {class: 'soft'});
  const values = new Map(lines.map(line => [line, h('span', {class: 'soft'})]));
  const key = h('ul', {class: 'legend'}, lines.map(line => h('li', {},
    s('svg', {width: 30, height: 12, 'aria-hidden': 'true'}, stroke(line.system, 'M0 6H30'), marks ? mark(line.system, 15, 6) : ''),
    h('span', {}, line.name), values.get(line))), readout);
  const tell = at => {
    readout.textContent = at === null ? '' : read(at);
    for (const [line, span] of values) {
      const value = at === null ? null : value_at(line.points, at);
      span.textContent = value === null ? '' : y.show(value);
    }
  };
  const box = place(width => lines_svg(width, title, description, lines, {x, y, marks, tell}));
  return [key, box];
}

const stroke = (system, d, wide) => s('path', {d, fill: 'none', stroke: look(system).colour, 'stroke-dasharray': look(system).dash,
  'stroke-width': wide ?? (system === 'roomd' ? 2.6 : 1.9), 'stroke-linejoin': 'round'});

function value_at(points, at) {
  const next = points.findIndex(([place]) => place >= at);
  if (next < 0) return null;
  if (next === 0) return points[0][0] === at ? points[0][1] : null;
  const [[x0, y0], [x1, y1]] = [points[next - 1], points[next]];
  return y0 + (y1 - y0) * (at - x0) / (x1 - x0 || 1);
}

/** Labels at the ends of lines, moved apart where they would meet. */
function spread(labels, gap, low, high) {
  labels.sort((a, b) => a.y - b.y);
  for (let index = 1; index < labels.length; ++index) labels[index].y = Math.max(labels[index].y, labels[index - 1].y + gap);
  const over = (labels.at(-1)?.y ?? 0) - high;
  if (over > 0) {
    labels.at(-1).y = high;
    for (let index = labels.length - 2; index >= 0; --index) labels[index].y = Math.min(labels[index].y, labels[index + 1].y - gap);
  }
  for (const label of labels) label.y = Math.max(label.y, low);
}

function lines_svg(width, title, description, lines, {x, y, marks, tell}) {
  const narrow = width < 520;
  const height = width === on_paper.wide ? 250 : Math.round(Math.min(400, Math.max(250, width * .4)));
  const left = 58, right = width - (narrow ? 14 : 84), top = 12, bottom = height - 42;
  const svg = picture(width, height, title, description);
  const along = (axis, value, from, to) => {
    const part = axis.log ? Math.log(value / axis.low) / Math.log(axis.high / axis.low) : (value - axis.low) / (axis.high - axis.low);
    return from + (to - from) * Math.min(Math.max(part, -.02), 1.02);
  };
  const px = value => along(x, value, left, right);
  const py = value => along(y, value, bottom, top);
  const put = number => number.toFixed(1);

  for (const tick of y.ticks((bottom - top) / 46)) {
    svg.append(s('line', {class: 'grid', x1: left, x2: right, y1: py(tick), y2: py(tick)}),
               s('text', {x: left - 8, y: py(tick) + 4, 'text-anchor': 'end'}, bare(y.show(tick))));
  }
  const places = x.ticks((right - left) / 64).map(tick => ({at: px(tick), text: x.show(tick)}));
  for (const {at} of places) svg.append(s('line', {class: 'grid', x1: at, x2: at, y1: top, y2: bottom}));
  svg.append(...tick_texts(places, bottom + 17));
  svg.append(s('line', {class: 'axis', x1: left, x2: right, y1: bottom, y2: bottom}),
             s('text', {x: (left + right) / 2, y: height - 5, 'text-anchor': 'middle'}, x.label));

  const back = [...lines].sort((a, b) => (a.system === 'roomd') - (b.system === 'roomd'));
  for (const {system, band} of back) {
    if (!band) continue;
    const there = band.map(([at, low]) => `${put(px(at))} ${put(py(low))}`);
    const again = [...band].reverse().map(([at, , high]) => `${put(px(at))} ${put(py(high))}`);
    svg.append(s('path', {d: `M${[...there, ...again].join('L')}Z`, fill: look(system).colour, opacity: .13}));
  }
  for (const {system, name, points} of back) {
    const path = stroke(system, `M${points.map(([at, value]) => `${put(px(at))} ${put(py(value))}`).join('L')}`);
    path.append(s('title', {}, name));
    svg.append(path);
    if (marks) svg.append(...points.map(([at, value]) => mark(system, px(at), py(value))));
  }
  if (!narrow) {
    const labels = lines.filter(line => line.points.length)
      .map(({system, name, points}) => ({system, name, x: px(points.at(-1)[0]), y: py(points.at(-1)[1]) + 4}));
    spread(labels, 15, top + 6, bottom + 2);
    for (const label of labels) {
      svg.append(s('text', {x: right + 10, y: label.y, style: `fill:${look(label.system).colour};font-weight:600`}, label.name));
    }
  }

  const cursor = s('line', {class: 'cursor', y1: top, y2: bottom, visibility: 'hidden'});
  svg.append(cursor);
  svg.addEventListener('pointermove', event => {
    const frame = svg.getBoundingClientRect();
    const at = (event.clientX - frame.left) * width / frame.width;
    const part = Math.min(Math.max((at - left) / (right - left), 0), 1);
    const value = x.log ? x.low * (x.high / x.low) ** part : x.low + (x.high - x.low) * part;
    const snapped = x.snap ? x.snap(value) : value;
    cursor.setAttribute('x1', px(snapped));
    cursor.setAttribute('x2', px(snapped));
    cursor.setAttribute('visibility', 'visible');
    tell(snapped);
  });
  svg.addEventListener('pointerleave', () => { cursor.setAttribute('visibility', 'hidden'); tell(null); });
  return svg;
}

/** From nothing, where the values are near enough to each other for that. */
function near_axis(values, show, label) {
  const high = Math.max(...values);
  if (high > 6 * Math.min(...values)) return log_axis(values, show, label);
  return {log: false, low: 0, high: high * 1.15, show, label, ticks(most) { return linear_ticks(this.high, Math.min(most, 8)); }};
}

/** A log axis over all values that has room to breathe. */
function log_axis(values, show, label) {
  const low = Math.min(...values), high = Math.max(...values);
  return {log: true, low: low / 1.15, high: Math.max(high, low * 2) * 1.15, show, label,
          ticks(most) { return log_ticks(this.low, this.high, most); }};
}

// ---- latency ----------------------------------------------------------------------------------------

// The axis of the percentiles p is -log10(1 - p): 90 % at 1, 99 % at 2, as HdrHistogram draws it.
const share_names = [[0, '0'], [1 - 10 ** -.30103, '50 %'], [.9, '90 %'], [.99, '99 %'], [.999, '99.9 %'], [.9999, '99.99 %'],
                     [.99999, '99.999 %'], [.999999, '99.9999 %']];

/** Value in µs at 1 - 10^-depth of a histogram. */
function quantile(histogram, depth) {
  const wanted = Math.max(1, Math.ceil((1 - 10 ** -depth) * histogram.count * (1 - 1e-12)));
  let seen = 0;
  for (const [, most, count] of histogram.buckets) {
    seen += count;
    if (seen >= wanted) return Math.min(most, histogram.max) / 1000;
  }
  return histogram.max / 1000;
}

function latency_lines(group) {
  return group.map(row => {
    const histograms = complete(row).map(run => run.latency_ns).filter(Boolean);
    if (!histograms.length) return null;
    // Beyond the last value but one a quantile says nothing that the maximum does not.
    const deepest = Math.log10(Math.min(...histograms.map(one => one.count)));
    const points = [], band = [];
    for (let depth = 0; ; depth = Math.min(depth + .04, deepest)) {
      const values = histograms.map(one => quantile(one, depth));
      points.push([depth, median(values)]);
      band.push([depth, Math.min(...values), Math.max(...values)]);
      if (depth >= deepest) break;
    }
    return {system: row.system, name: row.name, points, band: histograms.length > 1 ? band : undefined};
  }).filter(Boolean);
}

function latency_card(group) {
  const lines = latency_lines(group);
  const deepest = Math.max(...lines.map(line => line.points.at(-1)[0]));
  const shares = [.5, .9, .99, .999];
  const at = (row, share) => median(complete(row).map(run => quantile(run.latency_ns, -Math.log10(1 - share))));
  const measured = group.filter(row => complete(row).some(run => run.latency_ns));
  const description = measured.map(row => `${row.name}: median ${micros(at(row, .5))}, 99 % within ${micros(at(row, .99))}.`).join(' ');
  const values = lines.flatMap(line => line.band ? line.band.flatMap(([, low, high]) => [low, high]) : line.points.map(point => point[1])).filter(value => value > 0);
  const [key, box] = chart(`${title_of(group)}: latency by percentile`, description, lines, {
    x: {low: 0, high: deepest, label: 'share of the deliveries that took no longer',
        show: depth => share_names.find(([share]) => Math.abs(-Math.log10(1 - share) - depth) < .01)[1],
        ticks: most => share_names.map(([share]) => Math.abs(-Math.log10(1 - share)))
          .filter(depth => depth <= deepest + .01 && (depth % 1 < .01 || depth % 1 > .99 || most > deepest * 1.9))},
    y: log_axis(values, micros, ''),
    read: depth => `${(100 * (1 - 10 ** -depth)).toFixed(Math.max(0, Math.ceil(depth) - 1))} %:`,
  });
  const rows = measured.map(row => ({class: row_class(row), cells: [
    row.name, ...shares.map(share => micros(at(row, share))),
    micros(Math.max(...complete(row).map(run => run.latency_ns.max / 1000))),
    ...['latency_p50_us', 'latency_p99_us'].map(metric => row.system === 'floor' ? '1.00' : three(figure_of(row, metric)?.to_floor ?? NaN)),
    micros(median(complete(row).map(run => run.lateness_ns ? quantile(run.lateness_ns, 2) : 0))),
  ]}));
  const runs = Math.max(...measured.map(row => row.runs.length));
  const caption = runs > 1 ? 'The lines are the medians of the runs, the bands reach from the best to the worst of them.' : '';
  return card(group, true, `${subtitle_of(group)}; ${runs_text(group[0])}`, key, box,
    h('figcaption', {}, description, ' ', caption),
    table(`Latency from the intended time of sending; medians of the runs, and the largest of all`,
          ['System', 'p50', 'p90', 'p99', 'p99.9', 'Max', 'p50 × floor', 'p99 × floor', 'Sender late, p99'], rows));
}

// ---- growth -----------------------------------------------------------------------------------------

const plural_of = (count, series) => series === 'size' ? `${whole(count)} B` : plural(count, series.replace(/s$/, ''));
const series_words = {members: 'members of the room', rooms: 'rooms', size: 'bytes of a message'};

function growth_card(group) {
  const metric = first_metric(group);
  const systems = [...new Set(group.map(row => row.system))];
  const of = system => group.filter(row => row.system === system && figure_of(row, metric));
  const unit = units[group.flatMap(row => row.figures).find(figure => figure.metric === metric).unit];
  const lines = systems.map(system => {
    const rows = of(system);
    return {system, name: group.find(row => row.system === system).name,
            points: rows.map(row => [row.at, figure_of(row, metric).median]),
            band: rows.map(row => [row.at, figure_of(row, metric).least, figure_of(row, metric).most])};
  }).filter(line => line.points.length);
  const reach = line => {
    const values = line.points.map(point => point[1]);
    return Math.max(...values) / Math.min(...values);
  };
  const places = [...new Set(group.map(row => row.at))].sort((a, b) => a - b);
  const {series} = group[0];
  const description = lines.map(line => `${line.name}: from ${unit(line.points[0][1])} at ${whole(places[0])} to ` +
    `${unit(line.points.at(-1)[1])} at ${whole(places.at(-1))}, largest to smallest ${three(reach(line))}.`).join(' ');
  const x = log_axis(places, value => whole(value), series_words[series] ?? series);
  x.ticks = most => places.length <= most ? places : log_ticks(x.low, x.high, most);
  x.snap = value => places.reduce((best, place) => Math.abs(Math.log(place / value)) < Math.abs(Math.log(best / value)) ? place : best);
  const y = near_axis(lines.flatMap(line => line.band.flatMap(([, low, high]) => [low, high])), unit, '');
  const [key, box] = chart(title_of(group), description, lines, {
    x, y, marks: true,
    read: at => `${whole(at)} ${series}:`,
  });
  const rows = places.map(at => ({cells: [whole(at), ...lines.map(line => {
    const row = group.find(one => one.at === at && one.system === line.system);
    const figure = figure_of(row, metric);
    return figure ? unit(figure.median) : row ? 'incomplete' : '';
  })]}));
  rows.push({cells: ['Largest / smallest', ...lines.map(line => three(reach(line)))]});
  const ours = lines.find(line => line.system === 'roomd');
  const label = capital(group.flatMap(row => row.figures)[0].label);
  return card(group, true, `${label} against ${series_words[series] ?? series}${y.log ? '; both axes are logarithmic' : ''}; ${runs_text(group[0])} for each point`, key, box,
    ours ? h('figcaption', {}, h('strong', {}, `roomd: ${unit(ours.points[0][1])} at ${plural_of(places[0], series)}, ${unit(ours.points.at(-1)[1])} at ${whole(places.at(-1))}`),
             `; the largest is ${three(reach(ours))} times the smallest.`) : '',
    table(`${label} by ${series}${group[0].runs.length > 1 ? ', medians; the bands in the picture reach from the least to the most of the runs' : ''}`, [series_words[series] ?? series, ...lines.map(line => line.name)], rows));
}

// ---- memory -----------------------------------------------------------------------------------------

/** Of several runs the one whose peak is the middle one. */
function typical_run(row) {
  const runs = complete(row).filter(run => run.memory.length > 1).sort((a, b) => a.resident_bytes_max - b.resident_bytes_max);
  return runs[runs.length >> 1];
}

function memory_card(group) {
  const lines = group.map(row => ({row, run: typical_run(row)})).filter(({run}) => run)
    .map(({row, run}) => ({system: row.system, name: row.name, points: run.memory}));
  const last = Math.max(...lines.map(line => line.points.at(-1)[0]));
  const description = lines.map(line => `${line.name}: from ${bytes(line.points[0][1])} to ${bytes(line.points.at(-1)[1])}.`).join(' ');
  const [key, box] = chart(`${title_of(group)}: resident memory over time`, description, lines, {
    x: {low: 0, high: last, show: value => `${three_or_whole(value)} s`, label: 'since the load began',
        ticks: most => linear_ticks(last, Math.min(most, 12))},
    y: log_axis(lines.flatMap(line => line.points.map(point => point[1])).filter(value => value > 0), bytes, ''),
    read: at => `${three(at)} s:`,
  });
  const rows = group.filter(row => complete(row).length).map(row => ({class: row_class(row), cells: [
    row.name, ...['resident_bytes_before', 'resident_bytes_max', 'resident_bytes_after']
      .map(field => bytes(median(complete(row).map(run => run[field])))),
    three(median(complete(row).map(run => run.deliveries_per_second))),
  ]}));
  return card(group, true, `${subtitle_of(group)}; ${runs_text(group[0])}`, key, box,
    h('figcaption', {}, description),
    table(`Resident memory, medians of the runs`, ['System', 'Before', 'At most', 'When the load ended', 'Deliveries/s'], rows));
}

const three_or_whole = value => Number.isInteger(value) ? whole(value) : bare(three(value));

// ---- the page ---------------------------------------------------------------------------------------

const bar_sections = {
  cost_us: ['CPU per delivery', 'CPU time of the server’s process, the kernel’s work on its behalf included, for each message delivered to one receiver. ' +
    'The floor is a relay that reads bytes and sends them on and does nothing else. On the log scale a bar begins at the floor, so its length is what a server adds to it. Thin lines reach from the least to the most of the runs.'],
  bytes_per_connection: ['Memory per idle connection', 'Resident memory of the server that each connection adds, once all have entered and nothing happens.'],
  connections_per_second: ['Connections', 'Connections that entered in a second: more is better.'],
  deliveries_per_second: ['Deliveries', 'Messages delivered in a second: more is better.'],
  resident_bytes: ['Memory at most', 'The most resident memory of the server while the load lasted.'],
};

const sections = [];

function add_section(title, text, has_switch, body) {
  const id = anchor(title);
  sections.push({id, title, node: h('section', {id}, h('h2', {}, title), h('div', {class: 'head'}, h('p', {}, text), has_switch ? scale_switch() : ''), body)});
}

function scale_switch() {
  const choose = (log, name) => {
    const button = h('button', {type: 'button', 'data-log': log}, name);
    button.addEventListener('click', () => { log_bars = log; show_scale(); draw_all(true); });
    return button;
  };
  return h('div', {class: 'switch', role: 'group', 'aria-label': 'Scale of the bars'}, choose(true, 'Log scale'), choose(false, 'Linear'));
}

function show_scale() {
  for (const button of document.querySelectorAll('.switch button')) {
    button.setAttribute('aria-pressed', String((button.dataset.log === 'true') === log_bars));
  }
}

function bar_cards(metric, chosen) {
  return h('div', {class: 'cards'}, chosen.map(group => card(group, false, subtitle_of(group),
    bars(group, metric), bars_caption(group, metric), figures_table(group, metric))));
}

function build_sections() {
  const single = groups.filter(group => group[0].series === '');
  const of_metric = metric => single.filter(group => first_metric(group) === metric);
  for (const [metric, [title, text]] of Object.entries(bar_sections)) {
    const chosen = of_metric(metric);
    if (chosen.length) add_section(title, text, metric === 'cost_us', bar_cards(metric, chosen));
  }
  const timed = single.filter(group => group.some(row => complete(row).some(run => run.latency_ns)));
  if (timed.length) {
    add_section('Latency', 'Messages are sent at times fixed beforehand, and the time of each delivery is counted from the intended one, so that a server that stalls cannot hide it by slowing the sender down. Lower and flatter is better.',
      false, timed.map(latency_card));
  }
  const series = groups.filter(group => group[0].series !== '' && first_metric(group));
  if (series.length) add_section('Growth', 'What happens as the load gets larger. A flat line costs the same at any size.', false, series.map(growth_card));
  const kept = single.filter(group => group.some(typical_run) &&
    (single.length === 1 || group[0].scenario.load === 'slow' || first_metric(group) === 'resident_bytes'));
  if (kept.length) {
    add_section('Memory over time', 'Resident memory of the server while the load lasts; of several runs the one with the middle peak. The axis of the memory is logarithmic.', false, kept.map(memory_card));
  }
  const shown = new Set([...Object.keys(bar_sections).flatMap(of_metric), ...timed, ...series, ...kept]);
  const rest = groups.filter(group => !shown.has(group));
  if (rest.length) {
    add_section('Incomplete', 'Nothing could be measured here.', false,
      rest.map(group => card(group, true, subtitle_of(group))));
  }
}

const place_of = row => [row.scenario.name, dialect_text(row), row.series && `${whole(row.at)} ${row.series}`].filter(Boolean).join(', ');

/** The first figure of each scenario: a line for each, a column for each system. */
function glance_section() {
  const chosen = groups.filter(group => group[0].series === '' && first_metric(group));
  if (chosen.length < 2) return '';
  const systems = [...new Set(report.rows.map(row => row.system))];
  const rows = chosen.map(group => {
    const metric = first_metric(group);
    const ours = figure_of(row_of(group, 'roomd'), metric);
    return {cells: [{text: title_of(group)}, {text: capital(group.flatMap(row => row.figures)[0].label), class: 'text'}, ...systems.map(system => {
      const figure = figure_of(row_of(group, system), metric);
      if (!figure) return row_of(group, system) ? {text: 'incomplete', class: 'missed'} : '–';
      const times = ours && system !== 'roomd' ? figure.median / ours.median : null;
      return {text: h('span', {}, units[figure.unit](figure.median), times ? h('small', {}, ` ${three(times)} ×`) : ''), class: system === 'roomd' ? 'ours' : undefined};
    })]};
  });
  return h('section', {id: 'glance'}, h('h2', {}, 'At a glance'),
    table('The median of what matters most in each scenario; small: how many times roomd’s', ['Scenario', {text: 'Figure', class: 'text'},
          ...systems.map(system => report.rows.find(row => row.system === system).name)], rows));
}

function goals_section() {
  const goals = report.rows.flatMap(row => row.goals.map(goal => ({row, goal})));
  if (!goals.length) return '';
  return h('section', {id: 'goals'}, h('h2', {}, 'Goals'), table('What was promised, and whether it was kept', ['Scenario', {text: 'Goal', class: 'text'}, 'Verdict'],
    goals.map(({row, goal}) => ({class: goal.met ? undefined : 'missed-row', cells: [
      place_of(row), {text: goal.text, class: 'text'}, verdict(goal)]}))));
}

function runs_section() {
  const rows = report.rows.flatMap(row => row.runs.map((run, index) => ({class: run.ok ? undefined : 'missed-row', cells: [
    place_of(row), row.name, whole(index + 1), three(run.cost_us), three(run.deliveries_per_second), whole(run.deliveries), three(run.server_cpu_seconds),
    run.seconds > 0 ? `${(100 * run.generator_cpu_seconds / run.seconds).toFixed(0)} %` : '–',
    run.latency_ns ? micros(quantile(run.latency_ns, 2)) : '', bytes(run.resident_bytes_max),
    run.ok ? {text: 'complete', class: 'met'} : {text: 'incomplete', class: 'missed', title: run.failure}]})));
  return h('section', {id: 'runs'}, h('h2', {}, 'Every run'), h('details', {}, h('summary', {}, `${plural(rows.length, 'run')}, one line each`),
    table('Every run, in the order of the report', ['Scenario', 'System', 'Run', 'µs/delivery', 'Deliveries/s', 'Deliveries', 'Server CPU s', 'Generator CPU', 'p99', 'Memory', ''], rows)));
}

function tile(value, text, kind) {
  return h('div', {class: `tile ${kind ?? ''}`}, h('b', {}, value), h('span', {}, text));
}

function tiles() {
  const goals = report.rows.flatMap(row => row.goals);
  const met = goals.filter(goal => goal.met).length;
  const runs = report.rows.flatMap(row => row.runs);
  const failed = runs.filter(run => !run.ok).length;
  const deliveries = runs.reduce((sum, run) => sum + run.deliveries, 0);
  return h('div', {class: 'tiles'},
    goals.length ? tile(`${met} of ${goals.length}`, 'goals met', met === goals.length ? 'good' : 'bad') : '',
    tile(`${runs.length - failed} of ${runs.length}`, 'runs complete: each message once, in order, everywhere', failed ? 'bad' : 'good'),
    tile(whole(groups.length), `${groups.length === 1 ? 'scenario' : 'scenarios'}, ${plural(new Set(report.rows.map(row => row.system)).size, 'system')}`),
    deliveries ? tile(scaled(deliveries, ['', 'thousand', 'million', 'billion'], 1000), 'deliveries checked') : '');
}

function facts() {
  const {facts: known} = report;
  const named = [['Machine', known.cpu], ['Kernel', known.kernel], ['Date', known.date.replace('T', ' ').replace('Z', ' UTC')], ['Processors', known.pinning],
                 ...Object.entries(known.versions).map(([system, version]) => [report.rows.find(row => row.system === system)?.name ?? system, version]),
                 ['Command', known.command ? h('code', {class: 'command'}, known.command) : '']];
  return h('dl', {class: 'facts'}, named.filter(([, text]) => text).map(([name, text]) => [h('dt', {}, name), h('dd', {class: name === 'Command' ? 'whole' : undefined}, text)]));
}

/** One sentence: how roomd stands. */
function lead() {
  const compared = groups.filter(group => group[0].series === '' && first_metric(group) === 'cost_us').map(group => figure_of(row_of(group, 'roomd'), 'cost_us')).filter(figure => figure?.to_best_peer);
  if (!compared.length) return '';
  const won = compared.filter(figure => figure.to_best_peer < 1).length;
  const gains = compared.map(figure => 1 / figure.to_best_peer);
  const reach = [Math.min(...gains), Math.max(...gains)].map(three).join(' to ');
  return h('p', {class: 'lead'}, `In ${won} of ${plural(compared.length, 'comparison')} a delivery costs roomd less CPU than any other server: the next best takes ${reach} times as much.`);
}

function build_page() {
  build_sections();
  const goals = goals_section();
  const glance = glance_section();
  const links = [glance ? {id: 'glance', title: 'At a glance'} : null, goals ? {id: 'goals', title: 'Goals'} : null, ...sections, {id: 'runs', title: 'Every run'}].filter(Boolean);
  document.getElementById('report').append(
    h('header', {}, h('p', {class: 'eyebrow'}, 'roombench'), h('h1', {}, report.title), lead(), tiles(), facts()),
    h('div', {style: 'height:24px'}), h('nav', {'aria-label': 'Contents'}, links.map(({id, title}) => h('a', {href: `#${id}`}, title))),
    glance, goals, ...sections.map(section => section.node), runs_section(),
    h('footer', {}, h('p', {}, 'Everything on this page is in the page itself, the figures as JSON in the element “data”. ' +
      'Times on different machines do not compare; ratios of one report do.')));
  show_scale();
  draw_all(true);
  addEventListener('resize', () => draw_all(false));
  // What is folded is unfolded for paper, and pictures are drawn for its width, which cannot be asked for yet.
  addEventListener('beforeprint', () => {
    for (const fold of document.querySelectorAll('details.repeat')) fold.open = true;
    draw_all(true, true);
  });
  addEventListener('afterprint', () => draw_all(true));
  document.documentElement.dataset.pictures = String(document.querySelectorAll('.chart svg').length);
}

build_page();
