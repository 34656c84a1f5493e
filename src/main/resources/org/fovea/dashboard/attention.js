// SPDX-License-Identifier: Apache-2.0
// What a policy looked at in an episode: in a step as a strip and on the picture, and in all steps as a map.
import { element, ask, themed, tip } from './page.js';

const PALETTE = [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]];

/** Of a share from 0 to 1, evenly brighter. */
function shade(share) {
  const at = Math.max(0, Math.min(1, share)) * (PALETTE.length - 1);
  const low = Math.min(PALETTE.length - 2, Math.floor(at));
  return PALETTE[low].map((from, i) => Math.round(from + (at - low) * (PALETTE[low + 1][i] - from)));
}

const rgb = share => `rgb(${shade(share).join(' ')})`;

export const percent = share => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;

export class AttentionView {
  /** Of a panel that has the episode, its picture and the step that is shown. */
  constructor(panel) {
    this.panel = panel;
    this.weights = new Map();
    this.layer = element('select', { ariaLabel: 'Layer', name: 'layer' });
    this.head = element('select', { ariaLabel: 'Head', name: 'head' });
    this.from = element('select', { ariaLabel: 'Entity' });
    this.over = element('canvas');
    this.looked = element('div', { className: 'looked' });
    this.strip = element('canvas', { className: 'strip', role: 'img' });
    this.stripCaption = element('div', { className: 'caption' });
    this.map = element('canvas', { className: 'map', role: 'img' });
    this.mapCaption = element('div', { className: 'caption' });
    this.root = element('div', {},
      element('div', { className: 'bar' }, element('label', {}, 'Layer ', this.layer), element('label', {}, 'Head ', this.head), this.fromLabel = element('label', {}, 'Looking from ', this.from)),
      this.looked, this.strip, this.stripCaption, this.map, this.mapCaption);
    this.layer.addEventListener('change', () => this.chooseLayer());
    for (const control of [this.head, this.from]) control.addEventListener('change', () => this.panel.redraw());
    this.pointers();
  }

  /** The panel has another episode. */
  async begin() {
    this.weights.clear();
    const maps = this.episode.maps;
    const before = this.layer.value;
    this.layer.replaceChildren(...maps.map((map, i) => element('option', { value: String(i) }, map.name)));
    if (before && Number(before) < maps.length) this.layer.value = before;
    this.root.hidden = maps.length === 0;
    await this.chooseLayer();
  }

  pointers() {
    const hide = event => tip(event);
    for (const canvas of [this.strip, this.map, this.over]) canvas.addEventListener('pointerleave', hide);
    this.strip.addEventListener('pointermove', event => this.tellStrip(event));
    this.strip.addEventListener('click', event => { const key = this.stripKey(event); if (key !== null && this.chosen.over === 'STEPS') this.panel.view.go(key); });
    this.map.addEventListener('pointermove', event => this.tellMap(event));
    this.map.addEventListener('click', event => { const cell = this.mapCell(event); if (cell) this.panel.view.go(cell.step); });
    this.over.addEventListener('pointermove', event => this.tellPicture(event));
  }

  get episode() { return this.panel.episode; }

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
    this.panel.redraw();
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

  /** What is looked at in a step; at the end of the episode, in the last. */
  show(step, end) {
    this.at = step;
    const map = this.chosen;
    const looks = this.looks(step);
    if (!map || looks.length === 0) { this.clearOverlay(); return; }
    const most = looks.reduce((a, b) => b[1] > a[1] ? b : a);
    const head = this.head.value === 'mean' ? 'the heads in the mean look' : `head ${this.head.value} looks`;
    this.looked.replaceChildren(`${end ? `The last decision, in step ${step}: ` : `In step ${step} `}${head} most at `, element('b', {}, this.keyName(map, most[0], step)), ` (${percent(most[1])})${this.keyText(map, most[0])}`);
    this.panel.root.dataset.looksAt = most[0];
    this.panel.root.dataset.weight = most[1].toFixed(4);
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

  clearOverlay() { this.marks = []; this.sized(this.over, this.panel.stage.clientWidth || 1, this.panel.stage.clientHeight || 1); }

  /** On the picture, what is looked at: entities where they are, steps where they were about. */
  drawOverlay(map, looks, step) {
    const draw = () => {
      const width = this.panel.stage.clientWidth;
      const height = this.panel.stage.clientHeight;
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
    if (this.panel.image.complete || !this.episode.hasPictures) draw(); else this.panel.image.addEventListener('load', draw, { once: true });
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
      if (this.episode.hasPictures) content.unshift(element('img', { src: this.panel.picture(key), alt: '' }));
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
}
