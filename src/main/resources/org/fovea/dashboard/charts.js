// SPDX-License-Identifier: Apache-2.0
// Curves, what took the time, and settings of the runs that are chosen.
import { state, element, ask, number, colour, colourAt, themed, problem } from './page.js';

const CHARTS = [
  { title: 'Return', unit: 'mean of the last 100 episodes', column: 'mean_return' },
  { title: 'Return of evaluations', unit: 'greedy', column: 'return_mean', table: 'evaluations.csv' },
  { title: 'Episode length', unit: 'steps', column: 'mean_length' },
  { title: 'Entropy', unit: 'nats', column: 'entropy' },
  { title: 'Policy loss', unit: '', column: 'policy_loss' },
  { title: 'Value loss', unit: '', column: 'value_loss' },
  { title: 'Explained variance', unit: '1 is perfect', column: 'explained_variance' },
  { title: 'KL divergence', unit: 'nats per update', column: 'approximate_kl' },
  { title: 'Clip fraction', unit: '', column: 'clip_fraction' },
  { title: 'Gradient norm', unit: 'before clipping', column: 'gradient_norm' },
  { title: 'Learning rate', unit: '', column: 'learning_rate' },
];
const RATES = [{ title: 'Steps per second', unit: 'of the run so far', column: 'steps_per_second' }];

/** Settings without the seed: runs that have the same are repetitions of one. */
export function groupOf(run) {
  const settings = { ...state.runs.get(run)?.settings };
  delete settings.seed;
  return JSON.stringify(Object.entries(settings).sort());
}

/** A running mean, corrected for its beginning at 0. */
export function smooth(values, weight) {
  if (weight === 0) return values;
  let mean = 0;
  let sum = 0;
  return values.map(value => {
    if (value === null) return null;
    mean = weight * mean + (1 - weight) * value;
    sum = weight * sum + (1 - weight);
    return mean / sum;
  });
}

/** The value of a curve at x, between its points; null outside of them. */
function at(curve, x) {
  const { x: xs, y: ys } = curve;
  if (xs.length === 0 || x < xs[0] || x > xs[xs.length - 1]) return null;
  let low = 0;
  let high = xs.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle; else high = middle;
  }
  if (xs[high] === xs[low] || x === xs[low]) return ys[low];
  return ys[low] + (x - xs[low]) / (xs[high] - xs[low]) * (ys[high] - ys[low]);
}

/** A chart that is made once and then given other data. */
class Chart {
  constructor(spec) {
    this.spec = spec;
    this.legend = element('div', { className: 'legend' });
    this.place = element('div');
    this.root = element('div', { className: 'card' },
      element('h2', {}, spec.title, spec.unit ? element('span', { className: 'caption' }, `  ${spec.unit}`) : null), this.place, this.legend);
    this.root.dataset.column = spec.column;
    this.shape = '';
  }

  /** @param series [{ label, colour, x, y, low, high }] */
  draw(series, byTime) {
    const filled = series.filter(one => one.x.length > 0);
    this.root.dataset.points = filled.reduce((sum, one) => sum + one.x.length, 0);
    if (filled.length === 0) {
      this.plot?.destroy();
      this.plot = null;
      this.shape = '';
      this.place.replaceChildren(element('p', { className: 'none' }, 'Nothing yet.'));
      this.legend.replaceChildren();
      return;
    }
    const xs = filled.length === 1 ? filled[0].x : [...new Set(filled.flatMap(one => one.x))].sort((a, b) => a - b);
    const data = [xs];
    const options = [{}];
    const bands = [];
    for (const one of filled) {
      const on = values => filled.length === 1 ? values : xs.map(x => at({ x: one.x, y: values }, x));
      if (one.low) {
        bands.push({ series: [options.length + 1, options.length], fill: one.colour + '33' });
        for (const edge of [one.low, one.high]) { data.push(on(edge)); options.push({ stroke: 'transparent', points: { show: false }, edge: true }); }
      }
      data.push(on(one.y));
      options.push({ label: one.label, stroke: one.colour, width: 2, spanGaps: true, points: { show: one.x.length < 2, size: 6 } });
    }
    this.shown = filled;
    this.lines = options.map((option, i) => option.label ? i : 0).filter(Boolean);
    const width = Math.max(200, this.root.clientWidth - 22);
    const shape = JSON.stringify([filled.map(one => [one.label, one.colour, Boolean(one.low)]), width, byTime, state.theme]);
    if (shape === this.shape) {
      this.plot.setData(data);
    } else {
      this.plot?.destroy();
      this.place.replaceChildren();
      const axis = { stroke: themed('--faint'), grid: { stroke: themed('--grid'), width: 1 }, ticks: { stroke: themed('--grid') }, font: '12px system-ui' };
      this.plot = new uPlot({
        width, height: 220, series: options, bands, scales: { x: { time: false } }, cursor: { y: false, drag: { x: true, y: false } }, legend: { show: false },
        axes: [{ ...axis, values: (_, ticks) => ticks.map(tick => byTime ? duration(tick) : compact(tick)) }, { ...axis, size: 62, values: (_, ticks) => ticks.map(tick => number(tick)) }],
        hooks: { setCursor: [() => this.tell(byTime)] },
      }, data, this.place);
      this.shape = shape;
    }
    this.tell(byTime);
  }

  /** What the cursor is at, or the last values. */
  tell(byTime) {
    const index = this.plot?.cursor.idx;
    const data = this.plot?.data;
    if (!data) return;
    const entries = this.shown.map((one, i) => {
      const values = data[this.lines[i]];
      let value = index === null || index === undefined ? undefined : values[index];
      if (value === undefined) value = one.y[one.y.length - 1];
      const dot = element('i');
      dot.style.background = one.colour;
      return element('span', {}, dot, `${one.label} `, element('b', {}, number(value)));
    });
    if (index !== null && index !== undefined) entries.unshift(element('span', {}, byTime ? duration(data[0][index]) : `step ${Math.round(data[0][index]).toLocaleString('en')}`));
    this.legend.replaceChildren(...(entries.length > 12 ? [...entries.slice(0, 12), element('span', {}, `and ${entries.length - 12} more`)] : entries));
  }
}

const compact = value => value >= 1e6 ? `${+(value / 1e6).toFixed(2)}M` : value >= 1e3 ? `${+(value / 1e3).toFixed(1)}k` : String(value);

export function duration(seconds) {
  if (seconds < 60) return `${+seconds.toFixed(1)}s`;
  if (seconds < 3600) return `${+(seconds / 60).toFixed(1)}min`;
  return `${+(seconds / 3600).toFixed(2)}h`;
}

/** Charts of what the chosen runs' tables say. */
class Charts {
  constructor(place, specs) {
    this.charts = specs.map(spec => new Chart(spec));
    place.replaceChildren(...this.charts.map(chart => chart.root));
    this.turn = 0;
  }

  async draw(runs, byTime, bySeeds, weight) {
    const turn = ++this.turn;
    const tables = Map.groupBy ? Map.groupBy(this.charts, chart => chart.spec.table ?? 'progress.csv') : grouped(this.charts);
    try {
      const answers = await Promise.all([...tables].map(([table, charts]) => ask('curves', {
        run: runs, table, column: charts.map(chart => chart.spec.column), x: byTime ? 'time' : 'steps', points: 400 })));
      if (turn !== this.turn) return;
      [...tables.values()].forEach((charts, i) => {
        for (const chart of charts) {
          const curves = runs.map(run => ({ run, curve: answers[i][run]?.[chart.spec.column] })).filter(one => one.curve);
          chart.draw(bySeeds ? this.means(curves, weight) : curves.map(({ run, curve }) => ({
            label: run, colour: colour(run), x: curve.x, y: smooth(curve.y, weight) })), byTime);
        }
      });
    } catch (failure) {
      problem(failure.message);
    }
  }

  /** Runs that differ in the seed alone as their mean, and the standard deviation around it. */
  means(curves, weight) {
    const groups = new Map();
    for (const one of curves) {
      const key = groupOf(one.run);
      groups.set(key, [...(groups.get(key) ?? []), one]);
    }
    return [...groups.values()].map((members, index) => {
      const smoothed = members.map(({ curve }) => ({ x: curve.x, y: smooth(curve.y, weight) }));
      const xs = [...new Set(smoothed.flatMap(curve => curve.x))].sort((a, b) => a - b);
      const step = Math.max(1, Math.ceil(xs.length / 400));
      const x = xs.filter((_, i) => i % step === 0 || i === xs.length - 1);
      const y = [], low = [], high = [];
      for (const place of x) {
        const values = smoothed.map(curve => at(curve, place)).filter(value => value !== null);
        const mean = values.reduce((a, b) => a + b, 0) / values.length;
        const spread = values.length < 2 ? 0 : Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
        y.push(mean); low.push(mean - spread); high.push(mean + spread);
      }
      const settings = state.runs.get(members[0].run)?.settings ?? {};
      const label = members.length === 1 ? members[0].run : `${settings.environment ?? members[0].run}, ${settings.policy ?? ''}: ${members.length} seeds`;
      return { label, colour: colourAt(index), x, y, low, high };
    });
  }
}

function grouped(charts) {
  const tables = new Map();
  for (const chart of charts) {
    const table = chart.spec.table ?? 'progress.csv';
    tables.set(table, [...(tables.get(table) ?? []), chart]);
  }
  return tables;
}

export class Curves {
  constructor(root) {
    this.root = root;
    this.charts = new Charts(root.querySelector('#charts'), CHARTS);
    const again = () => { root.querySelector('#smoothed').textContent = root.querySelector('#smoothing').value; this.draw(this.runs); };
    for (const control of root.querySelectorAll('select, input')) control.addEventListener('input', again);
  }

  visible() {}

  draw(runs) {
    this.runs = runs;
    const value = id => this.root.querySelector(id).value;
    return this.charts.draw(runs, value('#x') === 'time', value('#grouping') === 'seeds', Number(value('#smoothing')));
  }
}

const PHASES = [
  ['environment', 'environments', '#1d7a46'], ['inference', 'policy acts', '#1f5fbf'], ['update', 'learning', '#c2571a'], ['idle', 'idle (evaluations, checkpoints)', '#8a93a2'],
];

export class Time {
  constructor(root) {
    this.root = root;
    this.charts = new Charts(root.querySelector('#rates'), RATES);
  }

  visible() {}

  async draw(runs) {
    this.charts.draw(runs, false, false, 0);
    try {
      const times = await ask('times', { run: runs });
      this.root.querySelector('#phases').replaceChildren(element('div', { className: 'card' },
        element('h2', {}, 'What the time went into'), ...runs.map(run => this.row(run, times[run]))));
    } catch (failure) {
      problem(failure.message);
    }
  }

  row(run, times) {
    const total = PHASES.reduce((sum, [name]) => sum + times[name], 0);
    const row = element('div', { className: 'phase-row' }, element('div', {}, run, element('span', { className: 'caption' },
      total > 0 ? `  ${duration(total)}, ${number(times.stepsPerSecond)} steps per second` : '  this run has no times.csv: it is of an earlier version')));
    if (total > 0) {
      const canvas = element('canvas', { className: 'phase-bar', width: 1000, height: 26, role: 'img' });
      const pen = canvas.getContext('2d');
      let x = 0;
      for (const [name, , fill] of PHASES) {
        const width = 1000 * times[name] / total;
        pen.fillStyle = fill;
        pen.fillRect(x, 0, width, 26);
        x += width;
      }
      const legend = element('div', { className: 'legend' }, ...PHASES.map(([name, label, fill]) => {
        const dot = element('i');
        dot.style.background = fill;
        return element('span', {}, dot, `${label} `, element('b', {}, `${(100 * times[name] / total).toFixed(1)} %`), ` ${duration(times[name])}`);
      }));
      canvas.setAttribute('aria-label', legend.textContent);
      row.append(canvas, legend);
    }
    return row;
  }
}

export class Settings {
  constructor(root) {
    this.root = root;
    root.querySelector('#differing').addEventListener('input', () => this.draw(this.runs));
  }

  visible() {}

  draw(runs) {
    this.runs = runs;
    const all = runs.map(run => state.runs.get(run));
    const names = [...new Set(all.flatMap(run => Object.keys(run.settings)))];
    const values = name => all.map(run => run.settings[name] ?? '–');
    const differs = name => new Set(values(name)).size > 1;
    names.sort((a, b) => differs(b) - differs(a));
    const only = this.root.querySelector('#differing').checked;
    const changes = all.some(run => run.changes.length)
      ? [element('tr', {}, element('td', {}, 'changed when resumed'), ...all.map(run => element('td', {}, run.changes.join('; ') || '–')))] : [];
    this.root.querySelector('table').replaceChildren(
      element('thead', {}, element('tr', {}, element('th', {}, 'Setting'), ...runs.map(run => {
        const head = element('th', {}, run);
        head.style.color = colour(run);
        return head;
      }))),
      element('tbody', {}, ...changes, ...names.filter(name => !only || differs(name)).map(name =>
        element('tr', { className: differs(name) ? 'differs' : '' }, element('td', {}, name), ...values(name).map(value => element('td', {}, value))))));
    if (names.length === 0) this.root.querySelector('tbody').append(element('tr', {}, element('td', {}, 'There is no checkpoint yet, and no config.yaml.')));
  }
}
