// SPDX-License-Identifier: Apache-2.0
// The page as a whole: which runs and which view are chosen, keys, theme, and the stream of what changes.
import { RunTable } from './runs.js';
import { Curves, Time, Settings } from './charts.js';
import { EpisodeView } from './episode.js';

const $ = (selector, root = document) => root.querySelector(selector);
const COLOURS = {
  light: ['#1f5fbf', '#c2571a', '#1d7a46', '#a3308f', '#8a6d00', '#0d7d8c', '#b3372d', '#5b4bc4', '#5d6878', '#7a4a2b'],
  dark: ['#7db0ff', '#ffa466', '#5fce92', '#f08be0', '#e3c04a', '#5ed3e3', '#ff8a7e', '#b0a4ff', '#b9c2d0', '#d3a283'],
};

/** What all views share. */
export const state = { runs: new Map(), chosen: [], tab: 'curves', theme: 'light', directory: '', complete: false, others: [] };

export function colour(run) {
  const list = COLOURS[state.theme];
  return list[Math.max(0, state.chosen.indexOf(run)) % list.length];
}

export function colourAt(index) {
  return COLOURS[state.theme][index % COLOURS[state.theme].length];
}

/** A custom property of the theme. */
export const themed = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** An element; text is never taken for markup. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made && name !== 'list') made[name] = value; else made.setAttribute(name, value);
  }
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

export function query(parameters) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) search.append(name, one);
  }
  return search.toString();
}

/** Asks the server; an answer that is an error is thrown, with what it says. */
export async function ask(path, parameters = {}, kind = 'json') {
  const answer = await fetch(`api/${path}?${query(parameters)}`);
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
    throw new Error(told.error);
  }
  return kind === 'json' ? answer.json() : answer.arrayBuffer();
}

export function problem(text) {
  const place = $('#problem');
  place.hidden = !text;
  place.textContent = text || '';
}

export function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) return value.toExponential(2);
  return size >= 1000 ? Math.round(value).toLocaleString('en') : String(+value.toFixed(size >= 100 ? 1 : digits));
}

export function tip(event, ...content) {
  const box = $('#tip');
  box.hidden = content.length === 0;
  if (box.hidden) return;
  box.replaceChildren(...content);
  const { clientX: x, clientY: y } = event;
  const { width, height } = box.getBoundingClientRect();
  box.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 8))}px`;
  box.style.top = `${y + 18 + height > innerHeight ? Math.max(4, y - height - 12) : y + 18}px`;
}

const table = new RunTable($('#runs'), chosenChanged);
const views = { curves: new Curves($('#curves')), time: new Time($('#time')), settings: new Settings($('#settings')), episode: new EpisodeView($('#episode')) };

function remember() {
  const parameters = { tab: state.tab };
  if (state.chosen.length) parameters.run = state.chosen;
  history.replaceState(null, '', `#${query(parameters)}`);
}

function recall() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (given.has('run')) state.chosen = given.getAll('run').slice(0, 100);
  if (given.get('tab') in views) state.tab = given.get('tab');
}

function chosenChanged() {
  remember();
  table.draw();
  draw();
}

function show(tab) {
  state.tab = tab;
  remember();
  draw();
}

/** Draws the view that is chosen, and hides the others. */
function draw() {
  for (const button of document.querySelectorAll('nav [data-tab]')) {
    button.setAttribute('aria-selected', String(button.dataset.tab === state.tab));
  }
  const known = state.chosen.filter(run => state.runs.has(run));
  const empty = $('#empty');
  empty.hidden = known.length > 0;
  for (const [name, view] of Object.entries(views)) {
    view.root.hidden = name !== state.tab || known.length === 0;
    view.visible(!view.root.hidden);
  }
  if (known.length) {
    views[state.tab].draw(known);
  } else {
    sayWhyEmpty(empty);
  }
}

function sayWhyEmpty(empty) {
  if (!state.complete) {
    empty.replaceChildren('Looking for runs …');
  } else if (state.runs.size > 0) {
    empty.replaceChildren('Choose a run on the left.');
  } else {
    const rest = state.others.length ? ` It has ${state.others.join(', ')}${state.others.length > 4 ? ' …' : ''}, none of which is a run of Fovea.` : ' It is empty.';
    empty.replaceChildren(`There is no run in ${state.directory} yet.${rest} `, element('code', {}, `./fovea train --out ${state.directory}/first`), ' makes one, and it appears here as it grows.');
  }
}

/** Takes in what has changed, and draws again what shows a run that has. */
function received(news) {
  const first = news.complete && !state.complete;
  const hadNone = state.runs.size === 0;
  const wereKnown = state.chosen.filter(run => state.runs.has(run)).length;
  state.complete = news.complete;
  state.directory = news.directory;
  state.others = news.others;
  $('#directory').textContent = news.directory;
  for (const run of news.changed) state.runs.set(run.name, run);
  for (const name of news.removed) state.runs.delete(name);
  const gone = state.chosen.filter(run => !state.runs.has(run));
  problem(state.complete && gone.length ? `No longer there: ${gone.join(', ')}` : '');
  if ((first || hadNone) && state.complete && state.chosen.length === 0 && state.runs.size > 0) {
    const newest = [...state.runs.values()].sort((a, b) => b.written - a.written)[0];
    state.chosen = [newest.name];
  }
  table.draw();
  const shown = new Set(state.chosen);
  const known = state.chosen.filter(run => state.runs.has(run)).length;
  if (first || known !== wereKnown || (state.tab !== 'episode' && news.changed.some(run => shown.has(run.name)))) draw();
}

function connect() {
  const connection = $('#connection');
  const source = new EventSource('api/events');
  source.addEventListener('runs', event => received(JSON.parse(event.data)));
  source.onopen = () => { connection.textContent = 'live'; connection.className = 'live'; };
  source.onerror = () => { connection.textContent = 'not connected: is fovea dashboard still running?'; connection.className = 'lost'; };
}

function theme(name) {
  state.theme = name;
  document.documentElement.dataset.theme = name;
}

function switchTheme() {
  theme(state.theme === 'dark' ? 'light' : 'dark');
  try { localStorage.setItem('fovea-theme', state.theme); } catch { /* Not kept. */ }
  table.draw();
  draw();
}

document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches('input:not([type=range]):not([type=checkbox]), select');
  if (event.key === 'Escape' && typing) { event.target.blur(); return; }
  if (typing) return;
  const tabs = Object.keys(views);
  if (event.key === '/') { $('#filter').focus(); event.preventDefault(); }
  else if (event.key >= '1' && event.key <= '4') show(tabs[Number(event.key) - 1]);
  else if (event.key.toLowerCase() === 't') switchTheme();
  else if (state.tab === 'episode' && views.episode.key(event.key, event.target)) event.preventDefault();
});
for (const button of document.querySelectorAll('nav [data-tab]')) button.addEventListener('click', () => show(button.dataset.tab));
$('#theme').addEventListener('click', switchTheme);
let resizing;
addEventListener('resize', () => { clearTimeout(resizing); resizing = setTimeout(draw, 150); });
addEventListener('hashchange', () => { recall(); table.draw(); draw(); });

let kept = null;
try { kept = localStorage.getItem('fovea-theme'); } catch { /* None. */ }
theme(kept === 'dark' || kept === 'light' ? kept : matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
recall();
draw();
connect();
