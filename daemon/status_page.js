'use strict';
// Asks /metrics every two seconds and draws what has changed. Needs nothing from anywhere else.
// A mistake in here is left on <html data-error>, where a test finds it.
const root = document.documentElement;
addEventListener('error', event => { root.dataset.error = event.message; });
addEventListener('unhandledrejection', event => { root.dataset.error = String(event.reason); });

const poll_ms = 2000;
const window_ms = 300000;

// ---- numbers -------------------------------------------------------------------------------------

function three(number) {
    if (number === null || !Number.isFinite(number))
        return '–';
    if (number === 0)
        return '0';
    const rounded = Number(number.toPrecision(3));
    if (Math.abs(rounded) >= 1000)
        return rounded.toLocaleString('en-US', {maximumFractionDigits : 0});
    return String(Number(rounded.toFixed(6)));
}

function scaled(value, units, step) {
    if (value === null || !Number.isFinite(value))
        return '–';
    let unit = 0;
    while (Math.abs(value) >= 0.9995 * step && unit + 1 < units.length) {
        value /= step;
        ++unit;
    }
    return `${three(value)} ${units[unit]}`;
}

const count = value => value === null            ? '–'
                       : Number.isInteger(value) ? value.toLocaleString('en-US')
                                                 : three(value);
const rate = value => value === null ? '–' : `${three(value)}/s`;
const bytes = value => scaled(value, [ 'B', 'KiB', 'MiB', 'GiB', 'TiB' ], 1024);
const byte_rate = value => value === null ? '–' : `${bytes(value)}/s`;
const percent = value => value === null ? '–' : `${three(value * 100)} %`;
const seconds = value => value === null ? '–'
                         : value === 0  ? '0 s'
                                        : scaled(value * 1e6, [ 'µs', 'ms', 's' ], 1000);

function age(value) {
    if (value === null || value < 0)
        return '–';
    const days = Math.floor(value / 86400);
    const clock = [ value % 86400 / 3600, value % 3600 / 60, value % 60 ].map(
        part => String(Math.floor(part)).padStart(2, '0'));
    return (days ? `${days} d ` : '') + clock.join(':');
}

// ---- what roomd says -----------------------------------------------------------------------------

/** {name: [{labels: {...}, value}]} of the text format of Prometheus. */
function parse(text) {
    const families = {};
    for (const line of text.split('\n')) {
        const found = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
        if (line.startsWith('#') || !found)
            continue;
        const labels = {};
        for (const [, name, value] of (found[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
            labels[name] = value;
        (families[found[1]] ??= []).push({labels, value : Number(found[3])});
    }
    return families;
}

class Sample {
    constructor(time, families) {
        this.time = time;
        this.families = families;
    }

    /** Sum over all labels; null when there is no such figure. */
    value(name) {
        const samples = this.families[name];
        return samples ? samples.reduce((sum, sample) => sum + sample.value, 0) : null;
    }

    /** Growth a second since `before`; null when unknown or when roomd has begun anew. */
    rate(name, before) {
        if (!before || before.born !== this.born)
            return null;
        const now = this.value(name), then = before.value(name);
        return now === null || then === null || now < then
                   ? null
                   : (now - then) / ((this.time - before.time) / 1000);
    }

    get born() { return this.value('process_start_time_seconds'); }

    /** A quantile of what a histogram took in since `before`, interpolated within its bucket. */
    quantile(name, share, before) {
        if (!before || before.born !== this.born)
            return null;
        const buckets =
            (this.families[`${name}_bucket`] ??
             []).map((bucket, index) => ({
                         bound : Number(bucket.labels.le.replace('+Inf', 'Infinity')),
                         below : bucket.value -
                                     (before.families[`${name}_bucket`]?.[index]?.value ?? 0),
                     }));
        const total = buckets.at(-1)?.below ?? 0;
        if (total <= 0)
            return null;
        let low = 0, under = 0;
        for (const {bound, below} of buckets) {
            if (below >= share * total) {
                if (bound === Infinity)
                    return low;
                return low + (bound - low) * (share * total - under) / (below - under);
            }
            low = bound;
            under = below;
        }
        return null;
    }
}

const samples = [];

// ---- elements ------------------------------------------------------------------------------------

function element(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes ?? {}))
        node.setAttribute(name, value);
    node.append(...children);
    return node;
}

const html = (name, attributes, ...children) =>
    element(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) =>
    element(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);

// ---- tiles ---------------------------------------------------------------------------------------

const tiles = [
    [ 'connections', (now) => count(now.value('roomd_connections')) ],
    [ 'members', (now) => count(now.value('roomd_members')) ],
    [ 'rooms', (now) => count(now.value('roomd_rooms')) ],
    [ 'messages in', (now, before) => rate(now.rate('roomd_messages_received_total', before)) ],
    [
        'messages delivered',
        (now, before) => rate(now.rate('roomd_messages_delivered_total', before))
    ],
    [ 'lost to slow readers', (now) => count(now.value('roomd_messages_lost_total')) ],
    [ 'oldest unsent', (now) => seconds(now.value('roomd_oldest_unsent_seconds')) ],
    [ 'running for', (now) => age(Date.now() / 1000 - now.born) ],
].map(([ label, figure ]) => {
    const value = html('b', {}, '–');
    document.getElementById('tiles').append(
        html('div', {class : 'tile'}, value, html('span', {}, label)));
    return (now, before) => { value.textContent = figure(now, before); };
});

// ---- charts --------------------------------------------------------------------------------------

const charts = [
    {
        title : 'Messages in',
        format : rate,
        series : [ [ 'said', (now, before) => now.rate('roomd_messages_received_total', before) ] ]
    },
    {
        title : 'Messages out',
        format : rate,
        series : [
            [ 'delivered', (now, before) => now.rate('roomd_messages_delivered_total', before) ],
            [ 'lost', (now, before) => now.rate('roomd_messages_lost_total', before) ]
        ]
    },
    {
        title : 'Delivery latency',
        format : seconds,
        series : [
            [ 'p50', (now, before) => now.quantile('roomd_delivery_latency_seconds', 0.5, before) ],
            [ 'p99', (now, before) => now.quantile('roomd_delivery_latency_seconds', 0.99, before) ]
        ]
    },
    {
        title : 'Connections',
        format : count,
        series : [
            [ 'open', now => now.value('roomd_connections') ],
            [ 'members', now => now.value('roomd_members') ]
        ]
    },
    {
        title : 'Waiting to be sent',
        format : bytes,
        series : [
            [ 'queues', now => now.value('roomd_queue_bytes') ],
            [ 'memory pinned', now => now.value('roomd_pinned_bytes') ]
        ]
    },
    {
        title : 'A turn of the loop',
        format : seconds,
        series : [
            [ 'p50', (now, before) => now.quantile('roomd_tick_duration_seconds', 0.5, before) ],
            [ 'p99', (now, before) => now.quantile('roomd_tick_duration_seconds', 0.99, before) ]
        ]
    },
    {
        title : 'Processor',
        format : percent,
        series : [
            [ 'of one core', (now, before) => now.rate('process_cpu_seconds_total', before) ],
            [ 'in turns', (now, before) => now.rate('roomd_tick_duration_seconds_sum', before) ]
        ]
    },
    {
        title : 'Bytes',
        format : byte_rate,
        series : [
            [ 'sent', (now, before) => now.rate('roomd_written_bytes_total', before) ],
            [ 'received', (now, before) => now.rate('roomd_read_bytes_total', before) ]
        ]
    },
    {
        title : 'Memory',
        format : bytes,
        series : [
            [ 'in use', now => now.value('process_resident_memory_bytes') ],
            [ 'histories', now => now.value('roomd_history_bytes') ]
        ]
    },
].map((chart, index) => {
    const title = html('h2', {id : `chart-${index}`}, chart.title);
    const legend = html('ul', {});
    const picture = svg('svg', {role : 'img', 'aria-labelledby' : `chart-${index}`, height : 132});
    const figure = html('figure', {}, title, legend, picture);
    document.getElementById('charts').append(figure);
    return {...chart, legend, picture, figure, points : chart.series.map(() => [])};
});

/** 1, 2 or 5 times a power of ten (of two for bytes), not below `value`. */
function ceiling(value, format) {
    if (!(value > 0))
        return 1;
    if (format === bytes || format === byte_rate)
        return 2 ** Math.ceil(Math.log2(value));
    const power = 10 ** Math.floor(Math.log10(value));
    return [ 1, 2, 5, 10 ].map(step => step * power).find(step => step >= value * 0.9999);
}

function path_of(points, x, y) {
    let path = '', pen = 'M';
    for (const [time, value] of points) {
        if (value === null) {
            pen = 'M';
            continue;
        }
        path += `${pen}${x(time).toFixed(1)} ${y(value).toFixed(1)}`;
        if (pen === 'M')
            path += 'h.01'; // a lone point is seen, too
        pen = 'L';
    }
    return path;
}

function draw(chart, end) {
    const width = Math.max(chart.figure.clientWidth - 30, 120), height = 132;
    const left = 64, right = width - 6, top = 8, bottom = height - 18;
    const known = chart.points.flat().filter(([, value ]) => value !== null);
    const high = ceiling(Math.max(0, ...known.map(([, value ]) => value)), chart.format);
    const x = time => right - (end - time) / window_ms * (right - left);
    const y = value => bottom - value / high * (bottom - top);
    const children = [];
    for (const share of [0, 0.5, 1]) {
        children.push(svg(
            'line',
            {class : 'grid', x1 : left, x2 : right, y1 : y(high * share), y2 : y(high * share)}));
        children.push(svg('text', {x : left - 8, y : y(high * share) + 4, 'text-anchor' : 'end'},
                          chart.format(high * share)));
    }
    children.push(svg('text', {x : left, y : height - 3}, '5 min ago'),
                  svg('text', {x : right, y : height - 3, 'text-anchor' : 'end'}, 'now'));
    chart.points.forEach((points, index) => {
        children.push(svg('path', {class : `series s${index}`, d : path_of(points, x, y)}));
    });
    const told = chart.series.map(
        ([ name ], index) => `${name} ${chart.format(chart.points[index].at(-1)?.[1] ?? null)}`);
    chart.picture.setAttribute('width', width);
    chart.picture.setAttribute('viewBox', `0 0 ${width} ${height}`);
    chart.picture.replaceChildren(svg('desc', {}, `${chart.title}: ${told.join(', ')}.`),
                                  ...children);
    chart.legend.replaceChildren(...chart.series.map(
        ([ name ], index) =>
            html('li', {},
                 svg('svg', {width : 22, height : 8, 'aria-hidden' : 'true'},
                     svg('path', {class : `series s${index}`, d : 'M2 4H20'})),
                 name, html('b', {}, chart.format(chart.points[index].at(-1)?.[1] ?? null)))));
    chart.figure.dataset.points = known.length;
}

function redraw() {
    const end = samples.at(-1)?.time ?? performance.now();
    charts.forEach(chart => draw(chart, end));
}

// ---- tables --------------------------------------------------------------------------------------

const cards =
    [ 'Connections by framing and format', 'Ended, by reason', 'Limits that were met' ].map(
        (title, index) => {
            const body = html('div', {});
            document.getElementById('tables').append(
                html('div', {class : 'card'}, html('h2', {id : `table-${index}`}, title), body));
            return body;
        });

const cell = value => html('td', value === 0 ? {class : 'zero'} : {}, count(value));

function table(index, heads, rows) {
    const head =
        html('thead', {}, html('tr', {}, ...heads.map(text => html('th', {scope : 'col'}, text))));
    const body =
        html('tbody', {},
             ...rows.map(([ name, ...values ]) => html('tr', {}, html('th', {scope : 'row'}, name),
                                                       ...values.map(cell))));
    cards[index].replaceChildren(
        rows.length ? html('table', {'aria-labelledby' : `table-${index}`}, head, body)
                    : html('p', {class : 'none'}, 'none so far'));
}

function draw_tables(now) {
    const connections = now.families.roomd_connections ?? [];
    const framings = [...new Set(connections.map(({labels}) => labels.framing)) ];
    const formats = [...new Set(connections.map(({labels}) => labels.format)) ];
    const of = (framing, format) =>
        connections.find(({labels}) => labels.framing === framing && labels.format === format)
            ?.value ??
        0;
    table(0, [ '', ...formats ],
          framings.map(framing => [framing, ...formats.map(format => of(framing, format))]));
    const some = (name, label) => (now.families[name] ?? [])
                                      .filter(({value}) => value > 0)
                                      .sort((a, b) => b.value - a.value)
                                      .map(({labels, value}) => [labels[label], value]);
    table(1, [ 'reason', 'connections' ], some('roomd_closes_total', 'reason'));
    table(2, [ 'limit', 'times' ], some('roomd_limit_hits_total', 'limit'));
}

// ---- the poll ------------------------------------------------------------------------------------

function take(text) {
    const now = new Sample(performance.now(), parse(text));
    const before = samples.at(-1);
    samples.push(now);
    while (samples.length > 2 && now.time - samples[0].time > window_ms)
        samples.shift();
    for (const chart of charts) {
        chart.series.forEach(([, figure ], index) => {
            const points = chart.points[index];
            points.push([ now.time, figure(now, before) ]);
            while (now.time - points[0][0] > window_ms)
                points.shift();
        });
    }
    tiles.forEach(tile => tile(now, before));
    document.getElementById('version').textContent =
        now.families.roomd_build_info?.[0].labels.version ?? '';
    redraw();
    draw_tables(now);
    const ready = now.value('roomd_ready') === 1;
    say(ready ? 'serving' : 'not taking anybody in', ready ? 'good' : 'bad');
    root.dataset.polls = Number(root.dataset.polls ?? 0) + 1;
}

function say(text, kind) {
    const state = document.getElementById('state');
    if (state.textContent !== text)
        state.textContent = text; // or a screen reader would repeat it
    state.className = kind;
}

async function poll() {
    try {
        const answer = await fetch('metrics', {cache : 'no-store'});
        if (!answer.ok)
            throw new TypeError(`status ${answer.status}`);
        take(await answer.text());
    } catch (error) {
        if (!(error instanceof TypeError))
            throw error; // fetch(): no answer; all else is a mistake here
        say('no answer', 'bad');
        root.dataset.unanswered = error.message;
    } finally {
        setTimeout(poll, poll_ms);
    }
}

addEventListener('resize', redraw);
poll();
