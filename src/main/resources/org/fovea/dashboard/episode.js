// SPDX-License-Identifier: Apache-2.0
// An episode step by step: the environment, and what the policy looked at.
import { state, element, ask, query, number, colour, themed, tip } from './page.js';

const PALETTE = [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]];

/** Of a share from 0 to 1, evenly brighter. */
function shade(share) {
  const at = Math.max(0, Math.min(1, share)) * (PALETTE.length - 1);
  const low = Math.min(PALETTE.length - 2, Math.floor(at));
  return PALETTE[low].map((from, i) => Math.round(from + (at - low) * (PALETTE[low + 1][i] - from)));
}

const rgb = share => `rgb(${shade(share).join(' ')})`;

export class EpisodeView {
  constructor(root) {
    this.root = root;
    this.step = 0;
    this.panels = [new Panel(this)];
    this.runs = [];
    root.querySelector('#panels').replaceChildren(this.panels[0].root);
    for (const button of root.querySelectorAll('[data-act]')) button.addEventListener('click', () => this.act(button.dataset.act));
    root.querySelector('#scrub').addEventListener('input', event => this.go(Number(event.target.value)));
    root.querySelector('#speed').addEventListener('input', () => { if (this.playing) { this.pause(); this.play(); } });
    root.querySelector('#beside').addEventListener('click', () => this.beside());
  }

  visible(is) { if (!is) this.pause(); }

  beside() {
    if (this.panels.length === 1) this.panels.push(new Panel(this)); else this.panels.pop();
    this.root.querySelector('#panels').replaceChildren(...this.panels.map(panel => panel.root));
    this.root.querySelector('#beside').textContent = this.panels.length === 1 ? 'Two side by side' : 'One alone';
    this.draw(this.runs);
  }

  draw(runs) {
    this.runs = runs;
    this.panels.forEach((panel, i) => panel.offer(runs, runs[Math.min(i, runs.length - 1)]));
    this.panels.forEach(panel => panel.redraw());
  }

  get length() { return Math.max(1, ...this.panels.map(panel => (panel.episode?.steps.length ?? 0) + (panel.episode ? 1 : 0))); }

  loaded() {
    const scrub = this.root.querySelector('#scrub');
    scrub.max = this.length - 1;
    this.go(Math.min(this.step, this.length - 1));
  }

  go(step) {
    this.step = Math.max(0, Math.min(this.length - 1, step));
    this.root.querySelector('#scrub').value = this.step;
    this.root.querySelector('#at').textContent = `step ${this.step} of ${this.length - 1}`;
    this.panels.forEach(panel => panel.show(this.step));
  }

  play() {
    if (this.step >= this.length - 1) this.go(0);
    this.playing = setInterval(() => {
      if (this.step >= this.length - 1) this.pause(); else this.go(this.step + 1);
    }, 1000 / Number(this.root.querySelector('#speed').value));
    this.root.querySelector('[data-act=play]').textContent = 'Pause';
  }

  pause() {
    clearInterval(this.playing);
    this.playing = null;
    this.root.querySelector('[data-act=play]').textContent = 'Play';
  }

  act(what) {
    if (what === 'play') { if (this.playing) this.pause(); else this.play(); return; }
    this.pause();
    this.go({ first: 0, back: this.step - 1, on: this.step + 1, last: this.length - 1 }[what]);
  }

  /** Whether the key means something here. */
  key(key, target) {
    const acts = { ' ': 'play', ArrowLeft: 'back', ArrowRight: 'on', Home: 'first', End: 'last' };
    if (key === ' ' && target.matches('button')) return false;
    if (key in acts) this.act(acts[key]);
    else if (key.toLowerCase() === 'l') this.panels.forEach(panel => panel.next('layer'));
    else if (key.toLowerCase() === 'h') this.panels.forEach(panel => panel.next('head'));
    else return false;
    return true;
  }
}

/** One episode of one run. */
class Panel {
  constructor(view) {
    this.view = view;
    this.weights = new Map();
    this.run = element('select', { ariaLabel: 'Run' });
    this.policy = element('select', {}, element('option', { value: 'last' }, 'newest'), element('option', { value: 'best' }, 'best'));
    this.seed = element('input', { type: 'number', value: '0', ariaLabel: 'Seed' });
    this.actions = element('select', { ariaLabel: 'Actions' }, element('option', { value: 'greedy' }, 'most likely'), element('option', { value: 'sampled' }, 'sampled'));
    this.layer = element('select', { ariaLabel: 'Layer', name: 'layer' });
    this.head = element('select', { ariaLabel: 'Head', name: 'head' });
    this.from = element('select', { ariaLabel: 'Entity' });
    this.message = element('p', { className: 'caption', role: 'status' });
    this.body = element('div', { hidden: true });
    this.image = element('img', { alt: '' });
    this.over = element('canvas');
    this.noPicture = element('div', { className: 'no-picture', hidden: true });
    this.stage = element('div', { className: 'stage' }, this.image, this.over, this.noPicture);
    this.textLines = element('pre');
    this.text = element('details', { className: 'state-text' }, element('summary', {}, 'as text'), this.textLines);
    this.looked = element('div', { className: 'looked' });
    this.strip = element('canvas', { className: 'strip', role: 'img' });
    this.stripCaption = element('div', { className: 'caption' });
    this.map = element('canvas', { className: 'map', role: 'img' });
    this.mapCaption = element('div', { className: 'caption' });
    this.facts = element('table', { className: 'facts' });
    this.bars = element('div', { className: 'bars' });
    const again = element('button', { type: 'button', title: 'the policy as it is by now', onclick: () => this.load() }, 'Reload');
    const other = element('button', { type: 'button', title: 'the episode of the next seed', onclick: () => { this.seed.value = String(Number(this.seed.value) + 1); this.load(); } }, 'Next');
    this.attention = element('div', {},
      element('div', { className: 'bar' }, element('label', {}, 'Layer ', this.layer), element('label', {}, 'Head ', this.head), this.fromLabel = element('label', {}, 'Looking from ', this.from)),
      this.looked, this.strip, this.stripCaption, this.map, this.mapCaption);
    this.body.append(element('div', { className: 'columns' }, element('div', {}, this.stage, this.text, this.bars, this.facts), this.attention));
    this.root = element('section', { className: 'card panel' },
      element('div', { className: 'bar' }, element('label', {}, 'Run ', this.run), element('label', {}, 'Policy ', this.policy), element('label', {}, 'Seed ', this.seed), element('label', {}, 'Actions ', this.actions), again, other),
      this.message, this.body);
    for (const control of [this.run, this.policy, this.seed, this.actions]) control.addEventListener('change', () => this.load());
    this.layer.addEventListener('change', () => this.chooseLayer());
    for (const control of [this.head, this.from]) control.addEventListener('change', () => this.redraw());
    this.pointers();
  }

  pointers() {
    const hide = event => tip(event);
    for (const canvas of [this.strip, this.map, this.over]) canvas.addEventListener('pointerleave', hide);
    this.strip.addEventListener('pointermove', event => this.tellStrip(event));
    this.strip.addEventListener('click', event => { const key = this.stripKey(event); if (key !== null && this.chosen.over === 'STEPS') this.view.go(key); });
    this.map.addEventListener('pointermove', event => this.tellMap(event));
    this.map.addEventListener('click', event => { const cell = this.mapCell(event); if (cell) this.view.go(cell.step); });
    this.over.addEventListener('pointermove', event => this.tellPicture(event));
  }

  /** Offers runs to choose from; of those that are chosen, at first the given one. */
  offer(runs, preferred) {
    const before = this.run.value;
    this.run.replaceChildren(...runs.map(run => element('option', { value: run }, run)));
    this.run.value = runs.includes(before) ? before : preferred;
    if (this.run.value !== this.loadedRun) this.load();
  }

  async load() {
    const run = this.run.value;
    this.loadedRun = run;
    const turn = this.turn = (this.turn ?? 0) + 1;
    this.message.textContent = 'Playing an episode …';
    try {
      const episode = await ask('episode', { run, seed: Math.trunc(Number(this.seed.value)) || 0, actions: this.actions.value, policy: this.policy.value });
      if (turn !== this.turn) return;
      this.weights.clear();
      this.episode = episode;
      const failed = episode.drawingFailure ? ` Not drawn: ${episode.drawingFailure}.` : '';
      this.message.textContent = `${episode.environment} after ${episode.trainedSteps.toLocaleString('en')} steps of training: return ${number(episode.totalReward)} in ${episode.steps.length} steps (${episode.end}).${failed}`;
      this.body.hidden = false;
      this.preload();
      const before = this.layer.value;
      this.layer.replaceChildren(...episode.maps.map((map, i) => element('option', { value: String(i) }, map.name)));
      if (before && Number(before) < episode.maps.length) this.layer.value = before;
      this.attention.hidden = episode.maps.length === 0;
      if (episode.maps.length === 0) this.message.textContent += ' This policy has no attention to look at.';
      await this.chooseLayer();
      this.view.loaded();
    } catch (failure) {
      if (turn !== this.turn) return;
      this.episode = null;
      this.body.hidden = true;
      this.message.textContent = `No episode: ${failure.message}`;
    }
  }

  /** Loads pictures ahead of the time when they are shown. */
  preload() {
    this.pictures = [];
    if (!this.episode.hasPictures) return;
    const count = Math.min(this.episode.steps.length + 1, 400);
    for (let step = 0; step < count; step++) {
      const image = new Image();
      image.src = this.picture(step);
      this.pictures.push(image);
    }
  }

  picture(step) { return `api/picture?${query({ episode: this.episode.number, step })}`; }

  get chosen() { return this.episode?.maps[Number(this.layer.value)] ?? null; }

  async chooseLayer() {
    const map = this.chosen;
    if (!map) return;
    const index = this.layer.value;
    const before = this.head.value;
    this.head.replaceChildren(element('option', { value: 'mean' }, 'mean of all'), ...Array.from({ length: map.heads }, (_, head) => element('option', { value: String(head) }, String(head))));
    if (before && (before === 'mean' || Number(before) < map.heads)) this.head.value = before;
    if (!this.weights.has(index)) {
      const episode = this.episode;
      const numbers = new Float32Array(await ask('attention', { episode: episode.number, map: index }, 'bytes'));
      if (episode === this.episode) this.weights.set(index, numbers);
    }
    this.fromLabel.hidden = map.queries === 1;
    this.from.replaceChildren(element('option', { value: 'mean' }, 'all entities'), ...Array.from({ length: map.queries }, (_, query) => element('option', { value: String(query) }, String(query))));
    this.redraw();
  }

  next(what) {
    const list = this[what];
    if (!list.options.length) return;
    list.selectedIndex = (list.selectedIndex + 1) % list.options.length;
    list.dispatchEvent(new Event('change'));
  }

  /** How many entities there are in a step. */
  present(map, step) {
    const places = this.episode.steps[step].view.entities[map.path];
    return places ? places.length : map.keys;
  }

  /** Weights of all keys in a step, for the head that is chosen. */
  row(step) {
    const map = this.chosen;
    const numbers = this.weights.get(this.layer.value);
    if (!map || !numbers) return null;
    const heads = this.head.value === 'mean' ? Array.from({ length: map.heads }, (_, head) => head) : [Number(this.head.value)];
    const all = map.queries > 1 && this.from.value === 'mean';
    const queries = all ? Array.from({ length: Math.min(map.queries, this.present(map, step)) }, (_, query) => query) : [map.queries > 1 ? Number(this.from.value) : 0];
    const row = new Float32Array(map.keys);
    for (const head of heads) {
      for (const query of queries) {
        const from = ((step * map.heads + head) * map.queries + query) * map.keys;
        for (let key = 0; key < map.keys; key++) row[key] += numbers[from + key];
      }
    }
    const count = heads.length * Math.max(1, queries.length);
    return row.map(weight => weight / count);
  }

  /** The same by the step or entity that is looked at: [[key, weight]]. */
  looks(step) {
    const map = this.chosen;
    const row = this.row(step);
    if (!row) return [];
    const pairs = [];
    if (map.over === 'STEPS') for (let age = Math.min(map.keys - 1, step); age >= 0; age--) pairs.push([step - age, row[age]]);
    else for (let key = 0; key < Math.min(map.keys, this.present(map, step)); key++) pairs.push([key, row[key]]);
    return pairs;
  }

  redraw() { this.drawn = null; if (this.episode) this.show(this.view.step); }

  show(wanted) {
    const episode = this.episode;
    if (!episode) return;
    const end = wanted >= episode.steps.length;
    const step = Math.min(wanted, episode.steps.length - 1);
    this.at = step;
    const view = end ? episode.last : episode.steps[step].view;
    this.noPicture.hidden = episode.hasPictures;
    this.image.hidden = !episode.hasPictures;
    if (episode.hasPictures) {
      const shown = Math.min(wanted, episode.steps.length);
      this.image.src = this.picture(shown);
      this.image.alt = view.text || `step ${shown}`;
    } else {
      this.noPicture.textContent = 'This environment does not draw itself; see org.fovea.env.Drawable.';
      this.text.open = true;
    }
    this.textLines.textContent = view.text;
    this.text.hidden = !view.text;
    this.showAttention(step, end);
    this.showFacts(step, end);
    this.root.dataset.step = wanted;
  }

  showAttention(step, end) {
    const map = this.chosen;
    const looks = this.looks(step);
    if (!map || looks.length === 0) { this.clearOverlay(); return; }
    const most = looks.reduce((a, b) => b[1] > a[1] ? b : a);
    const head = this.head.value === 'mean' ? 'the heads in the mean look' : `head ${this.head.value} looks`;
    this.looked.replaceChildren(`${end ? `The last decision, in step ${step}: ` : `In step ${step} `}${head} most at `, element('b', {}, this.keyName(map, most[0], step)), ` (${percent(most[1])})${this.keyText(map, most[0])}`);
    this.root.dataset.looksAt = most[0];
    this.root.dataset.weight = most[1].toFixed(4);
    this.drawStrip(map, looks, step);
    this.drawMap(map, step);
    if (end) this.clearOverlay(); else this.drawOverlay(map, looks, step);
  }

  keyName(map, key, step) {
    return map.over === 'STEPS' ? (key === step ? 'itself' : `step ${key}`) : `entity ${key}`;
  }

  keyText(map, key) {
    if (map.over !== 'STEPS') return '';
    const text = this.episode.steps[key].view.text.split('\n')[0];
    return text ? `: “${text}”` : '';
  }

  sized(canvas, width, height) {
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext('2d');
    pen.scale(ratio, ratio);
    return pen;
  }

  drawStrip(map, looks, step) {
    const width = this.strip.clientWidth || 400;
    const pen = this.sized(this.strip, width, 56);
    const count = map.over === 'STEPS' ? this.episode.steps.length : map.keys;
    const cell = width / count;
    const largest = Math.max(...looks.map(look => look[1]), 1e-9);
    pen.fillStyle = themed('--grid');
    pen.fillRect(0, 0, width, 42);
    for (const [key, weight] of looks) {
      pen.fillStyle = rgb(weight / largest);
      pen.fillRect(key * cell, 0, Math.max(1, cell - (cell > 6 ? 1 : 0)), 42);
    }
    if (map.over === 'STEPS') {
      pen.fillStyle = themed('--accent');
      pen.beginPath();
      pen.moveTo((step + 0.5) * cell, 44);
      pen.lineTo((step + 0.5) * cell + 5, 54);
      pen.lineTo((step + 0.5) * cell - 5, 54);
      pen.fill();
    }
    this.strip.setAttribute('aria-label', `weights from ${percent(0)} to ${percent(largest)}`);
    this.stripCaption.textContent = map.over === 'STEPS'
      ? `Where step ${step} looks, over the ${count} steps of the episode; brightest: ${percent(largest)}. Click to go there.`
      : `Which of ${map.keys} entities step ${step} looks at; brightest: ${percent(largest)}.`;
  }

  /** All steps at once: a row for each, columns as in the strip. It is drawn again only when something else is chosen. */
  drawMap(map, step) {
    const steps = this.episode.steps.length;
    const columns = map.over === 'STEPS' ? steps : map.keys;
    const shape = [this.episode.number, this.layer.value, this.head.value, this.from.value].join();
    if (this.drawn !== shape) {
      this.drawn = shape;
      const image = new ImageData(columns, steps);
      const rows = Array.from({ length: steps }, (_, at) => this.looks(at));
      const largest = Math.max(1e-9, ...rows.map(row => row.reduce((most, look) => Math.max(most, look[1]), 0)));
      rows.forEach((row, at) => {
        for (const [key, weight] of row) image.data.set([...shade(weight / largest), 255], 4 * (at * columns + key));
      });
      this.picture2 = document.createElement('canvas');
      this.picture2.width = columns;
      this.picture2.height = steps;
      this.picture2.getContext('2d').putImageData(image, 0, 0);
      this.mapCaption.textContent = `The whole episode: a row for each step, from the top; a column for each ${map.over === 'STEPS' ? 'step' : 'entity'} that it looks at. Brightest: ${percent(largest)}.`;
      this.map.setAttribute('aria-label', this.mapCaption.textContent);
    }
    const width = Math.min(300, this.map.parentElement.clientWidth || 400);
    const height = Math.max(60, Math.min(width, steps * Math.max(1, width / Math.max(columns, steps))));
    this.map.style.height = `${height}px`;
    const pen = this.sized(this.map, width, height);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(this.picture2, 0, 0, width, height);
    pen.strokeStyle = themed('--accent');
    pen.lineWidth = 2;
    const tall = height / steps;
    pen.strokeRect(1, step * tall, width - 2, Math.max(2, tall));
  }

  clearOverlay() { this.marks = []; this.sized(this.over, this.stage.clientWidth || 1, this.stage.clientHeight || 1); }

  /** On the picture, what is looked at: entities where they are, steps where they were about. */
  drawOverlay(map, looks, step) {
    const draw = () => {
      const width = this.stage.clientWidth;
      const height = this.stage.clientHeight;
      const pen = this.sized(this.over, width, height);
      this.marks = this.marksOf(map, looks, step);
      const largest = Math.max(...this.marks.map(mark => mark.weight), 1e-9);
      for (const { place: [x, y, w, h], weight } of this.marks) {
        const share = weight / largest;
        if (share < 0.03) continue;
        pen.fillStyle = `rgb(${shade(share).join(' ')} / ${0.08 + 0.32 * share})`;
        pen.strokeStyle = rgb(share);
        pen.lineWidth = 1 + 3 * share;
        pen.fillRect(x * width, y * height, w * width, h * height);
        pen.strokeRect(x * width, y * height, w * width, h * height);
      }
    };
    if (this.image.complete || !this.episode.hasPictures) draw(); else this.image.addEventListener('load', draw, { once: true });
  }

  marksOf(map, looks, step) {
    if (map.over !== 'STEPS') {
      const places = this.episode.steps[step].view.entities[map.path] ?? [];
      return looks.filter(([key]) => places[key]).map(([key, weight]) => ({ place: places[key], weight, name: `entity ${key}` }));
    }
    const marks = new Map();
    for (const [key, weight] of looks) {
      const place = this.episode.steps[key].view.place;
      if (!place) continue;
      const id = place.map(side => side.toFixed(4)).join();
      const mark = marks.get(id) ?? { place, weight: 0, name: 'steps' };
      mark.weight += weight;
      mark.name += ` ${key}`;
      marks.set(id, mark);
    }
    return [...marks.values()];
  }

  stripKey(event) {
    const map = this.chosen;
    if (!map || !this.episode) return null;
    const count = map.over === 'STEPS' ? this.episode.steps.length : map.keys;
    const box = this.strip.getBoundingClientRect();
    return Math.max(0, Math.min(count - 1, Math.floor((event.clientX - box.left) / box.width * count)));
  }

  tellStrip(event) {
    const key = this.stripKey(event);
    if (key !== null) this.tell(event, this.at, key);
  }

  mapCell(event) {
    const map = this.chosen;
    if (!map) return null;
    const box = this.map.getBoundingClientRect();
    const steps = this.episode.steps.length;
    const columns = map.over === 'STEPS' ? steps : map.keys;
    const within = (share, count) => Math.max(0, Math.min(count - 1, Math.floor(share * count)));
    return { step: within((event.clientY - box.top) / box.height, steps), key: within((event.clientX - box.left) / box.width, columns) };
  }

  tellMap(event) {
    const cell = this.mapCell(event);
    if (cell) this.tell(event, cell.step, cell.key);
  }

  /** The number, and what was to be seen there. */
  tell(event, step, key) {
    const map = this.chosen;
    const look = this.looks(step).find(one => one[0] === key);
    const content = [element('div', {}, `step ${step} at ${this.keyName(map, key, -1)}: `, element('b', {}, look ? percent(look[1]) : 'cannot be seen'))];
    if (map.over === 'STEPS') {
      if (this.episode.hasPictures) content.unshift(element('img', { src: this.picture(key), alt: '' }));
      const text = this.episode.steps[key].view.text.split('\n')[0];
      if (text) content.push(element('div', {}, text));
    }
    tip(event, ...content);
  }

  tellPicture(event) {
    const box = this.over.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    const y = (event.clientY - box.top) / box.height;
    const hit = (this.marks ?? []).find(({ place: [left, top, w, h] }) => x >= left && x <= left + w && y >= top && y <= top + h);
    if (hit) tip(event, element('div', {}, `${hit.name}: `, element('b', {}, percent(hit.weight)))); else tip(event);
  }

  showFacts(step, end) {
    const episode = this.episode;
    const now = episode.steps[step];
    const soFar = episode.steps.slice(0, step + (end ? 1 : 0)).reduce((sum, one) => sum + one.reward, 0);
    const rows = [
      ['action', now.choices.length ? now.choices.join(', ') : Array.from(now.values, value => number(value)).join(', ')],
      ['reward', `${number(now.reward)} (so far ${number(soFar)})`],
      ['value', `${number(now.value)}, as the critic has it`],
      ['observation', now.observation.length > 40 ? `${now.observation.length} numbers` : Array.from(now.observation, value => number(value, 2)).join('  ')],
    ];
    this.facts.replaceChildren(element('tbody', {}, ...rows.map(([name, value]) => element('tr', {}, element('td', {}, name), element('td', {}, value)))));
    this.showProbabilities(now);
  }

  showProbabilities(now) {
    const bars = [];
    let first = 0;
    this.episode.choices.forEach((count, part) => {
      for (let choice = 0; choice < count; choice++) {
        const share = now.probabilities[first + choice];
        const canvas = element('canvas', { width: 200, height: 12, role: 'presentation' });
        const pen = canvas.getContext('2d');
        pen.fillStyle = themed('--grid');
        pen.fillRect(0, 0, 200, 12);
        pen.fillStyle = themed('--accent');
        pen.fillRect(0, 0, 200 * share, 12);
        const taken = now.choices[part] === choice;
        const label = this.episode.choices.length === 1 ? `choice ${choice}` : `${part}: choice ${choice}`;
        bars.push(element('span', { className: taken ? 'taken' : '' }, `${taken ? '→ ' : ''}${label}`), canvas, element('span', {}, percent(share)));
      }
      first += count;
    });
    now.means.forEach((mean, i) => bars.push(element('span', {}, `number ${i}`), element('span', {}, `${number(mean)} ± ${number(now.deviations[i])}`), element('span', {}, '')));
    this.bars.replaceChildren(...bars);
  }
}

const percent = share => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
