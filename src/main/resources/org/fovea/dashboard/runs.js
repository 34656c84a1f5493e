// SPDX-License-Identifier: Apache-2.0
// The list of runs: filtered, sorted, and chosen from.
import { state, element, number, colour } from './page.js';

const MOST_ROWS = 200;

export class RunTable {
  constructor(root, changed) {
    this.root = root;
    this.changed = changed;
    this.sort = { by: 'written', down: true };
    this.filter = '';
    this.most = MOST_ROWS;
    root.querySelector('#filter').addEventListener('input', event => { this.filter = event.target.value.toLowerCase(); this.draw(); });
    root.querySelector('#none').addEventListener('click', () => { state.chosen = []; changed(); });
    for (const button of root.querySelectorAll('[data-sort]')) {
      button.addEventListener('click', () => {
        const by = button.dataset.sort;
        this.sort = { by, down: this.sort.by === by ? !this.sort.down : by !== 'name' };
        this.draw();
      });
    }
  }

  matching() {
    const words = this.filter.split(/\s+/).filter(Boolean);
    const runs = [...state.runs.values()].filter(run => {
      const text = `${run.name} ${run.state} ${Object.entries(run.settings).map(([name, value]) => `${name}=${value}`).join(' ')}`.toLowerCase();
      return words.every(word => text.includes(word));
    });
    const { by, down } = this.sort;
    const key = run => run[by] ?? -Infinity;
    runs.sort((a, b) => (by === 'name' ? a.name.localeCompare(b.name, 'en', { numeric: true }) : key(a) - key(b)) * (down ? -1 : 1));
    return runs;
  }

  draw() {
    for (const button of this.root.querySelectorAll('[data-sort]')) {
      if (button.dataset.sort === this.sort.by) button.setAttribute('aria-sort', this.sort.down ? 'descending' : 'ascending');
      else button.removeAttribute('aria-sort');
    }
    const runs = this.matching();
    const focused = document.activeElement?.closest?.('#runs tr')?.dataset.run;
    this.root.querySelector('tbody').replaceChildren(...runs.slice(0, this.most).map(run => this.row(run)));
    if (focused) [...this.root.querySelectorAll('tbody tr')].find(row => row.dataset.run === focused)?.querySelector('input')?.focus();
    const rest = runs.length - this.most;
    this.root.querySelector('#more').replaceChildren(...(rest > 0
      ? [element('button', { type: 'button', onclick: () => { this.most += 500; this.draw(); } }, `${rest} more`)] : []));
  }

  row(run) {
    const chosen = state.chosen.includes(run.name);
    const swatch = element('span', { className: 'swatch' });
    if (chosen) { swatch.style.background = colour(run.name); swatch.style.borderColor = colour(run.name); }
    const box = element('input', { type: 'checkbox', checked: chosen, ariaLabel: `show ${run.name}` });
    const settings = run.settings;
    const about = [settings.environment, settings.algorithm, settings.policy, settings.seed === undefined ? null : `seed ${settings.seed}`].filter(Boolean).join(', ');
    const name = element('td', {},
      element('div', { className: 'name' }, run.name),
      element('div', { className: 'about' }, element('span', { className: `state-${run.state}` }, run.state), about ? `, ${about}` : ''),
      run.problem ? element('div', { className: 'about state-failed' }, run.problem) : null);
    if (run.state === 'running' && run.totalSteps > 0) name.append(element('progress', { max: run.totalSteps, value: run.steps }));
    const row = element('tr', { className: chosen ? 'chosen' : '' },
      element('td', {}, box, swatch), name,
      element('td', { className: 'number', title: run.scoreSource ? `${run.scoreSource}${run.scoreStd === null ? '' : `, standard deviation ${number(run.scoreStd)}`}` : 'no episode has ended yet' }, number(run.score)),
      element('td', { className: 'number', title: `${run.steps.toLocaleString('en')} of ${run.totalSteps ? run.totalSteps.toLocaleString('en') : 'an unknown number of'} steps` }, short(run.steps)),
      element('td', { className: 'number', title: new Date(run.written).toLocaleString() }, age(Date.now() - run.written)));
    row.dataset.run = run.name;
    row.addEventListener('click', event => { this.toggle(run.name, event.shiftKey || event.ctrlKey || event.metaKey || event.target === box); });
    return row;
  }

  /** A click on a row chooses it alone, one on its box adds or removes it. */
  toggle(name, adds) {
    const chosen = state.chosen.includes(name);
    if (adds) state.chosen = chosen ? state.chosen.filter(other => other !== name) : [...state.chosen, name].slice(-100);
    else state.chosen = [name];
    this.changed();
  }
}

const short = steps => steps >= 1e6 ? `${+(steps / 1e6).toFixed(1)}M` : steps >= 1e3 ? `${+(steps / 1e3).toFixed(1)}k` : String(steps);

function age(millis) {
  const seconds = Math.max(0, millis / 1000);
  return seconds < 60 ? `${Math.floor(seconds)}s` : seconds < 3600 ? `${Math.floor(seconds / 60)}min` : seconds < 172800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86400)}d`;
}
