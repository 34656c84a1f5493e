// SPDX-License-Identifier: Apache-2.0
// An episode step by step: the environment, and what the policy did; beside it what it looked at.
import { element, ask, query, number, themed } from './page.js';
import { AttentionView, percent } from './attention.js';

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
    else if (key.toLowerCase() === 'l') this.panels.forEach(panel => panel.attention.next('layer'));
    else if (key.toLowerCase() === 'h') this.panels.forEach(panel => panel.attention.next('head'));
    else return false;
    return true;
  }
}

/** One episode of one run. */
class Panel {
  constructor(view) {
    this.view = view;
    this.run = element('select', { ariaLabel: 'Run' });
    this.policy = element('select', {}, element('option', { value: 'last' }, 'newest'), element('option', { value: 'best' }, 'best'));
    this.seed = element('input', { type: 'number', value: '0', ariaLabel: 'Seed' });
    this.actions = element('select', { ariaLabel: 'Actions' }, element('option', { value: 'greedy' }, 'most likely'), element('option', { value: 'sampled' }, 'sampled'));
    this.message = element('p', { className: 'caption', role: 'status' });
    this.body = element('div', { hidden: true });
    this.image = element('img', { alt: '' });
    this.noPicture = element('div', { className: 'no-picture', hidden: true });
    this.attention = new AttentionView(this);
    this.stage = element('div', { className: 'stage' }, this.image, this.attention.over, this.noPicture);
    this.textLines = element('pre');
    this.text = element('details', { className: 'state-text' }, element('summary', {}, 'as text'), this.textLines);
    this.facts = element('table', { className: 'facts' });
    this.bars = element('div', { className: 'bars' });
    const again = element('button', { type: 'button', title: 'the policy as it is by now', onclick: () => this.load() }, 'Reload');
    const other = element('button', { type: 'button', title: 'the episode of the next seed', onclick: () => { this.seed.value = String(Number(this.seed.value) + 1); this.load(); } }, 'Next');
    this.body.append(element('div', { className: 'columns' }, element('div', {}, this.stage, this.text, this.bars, this.facts), this.attention.root));
    this.root = element('section', { className: 'card panel' },
      element('div', { className: 'bar' }, element('label', {}, 'Run ', this.run), element('label', {}, 'Policy ', this.policy), element('label', {}, 'Seed ', this.seed), element('label', {}, 'Actions ', this.actions), again, other),
      this.message, this.body);
    for (const control of [this.run, this.policy, this.seed, this.actions]) control.addEventListener('change', () => this.load());
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
      this.episode = episode;
      const failed = episode.drawingFailure ? ` Not drawn: ${episode.drawingFailure}.` : '';
      this.message.textContent = `${episode.environment} after ${episode.trainedSteps.toLocaleString('en')} steps of training: return ${number(episode.totalReward)} in ${episode.steps.length} steps (${episode.end}).${failed}`;
      this.body.hidden = false;
      this.preload();
      if (episode.maps.length === 0) this.message.textContent += ' This policy has no attention to look at.';
      await this.attention.begin();
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

  redraw() { this.attention.drawn = null; if (this.episode) this.show(this.view.step); }

  show(wanted) {
    const episode = this.episode;
    if (!episode) return;
    const end = wanted >= episode.steps.length;
    const step = Math.min(wanted, episode.steps.length - 1);
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
    this.attention.show(step, end);
    this.showFacts(step, end);
    this.root.dataset.step = wanted;
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
