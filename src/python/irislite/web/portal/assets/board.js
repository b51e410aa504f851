// The items of a production as cards in columns, and who sends to whom. Emits `pick` with an item's name, "" for none.
// Everything shown goes through Vue's text interpolation: it is text, never markup.

import { age, full } from "/portal-assets/clock.js";

const STATES = {
  running: ["check_circle", "running"],
  error: ["report", "in error"],
  starting: ["pending", "starting"],
  stopped: ["stop_circle", "stopped"],
  disabled: ["do_not_disturb_on", "disabled"],
};
const MANY = 40; // items from which on cards are small
const FIRST = 15; // cards of a column that are drawn at once; the others come after the first paint
const NARROW = 600; // pixels: columns stand below one another, and no lines are drawn
const SOON = 60; // seconds in which an age changes every second
const PORT = 21; // pixels from a card's top to where its lines end

const Card = {
  template: `
    <button type="button" :class="['item', 'state-' + item.state, { hot, linked }]" :data-item="item.name"
            :aria-pressed="selected">
      <span class="item-head">
        <i class="material-icons light" aria-hidden="true">{{ icon }}</i>
        <span class="item-name"><template v-for="part in broken(item.name)">{{ part }}<wbr></template></span>
        <span class="state-word">{{ item.label }}</span>
      </span>
      <span class="item-line">
        <span class="item-class"><template v-for="part in broken(item.class_name)">{{ part }}<wbr></template></span>
        <span :class="['item-age', { idle: !item.last }]" :title="exactly">{{ age }}</span>
      </span>
      <span v-if="item.reason" class="item-reason">{{ item.reason }}</span>
      <span class="item-foot">
        <span class="item-facts">
          <span :class="item.queue ? 'waits' : 'zero'" title="Messages that wait"><b>{{ item.queue }}</b> queued</span>
          <span v-if="item.busy" class="works" title="Messages that are worked on"><b>{{ item.busy }}</b> in work</span>
          <span class="lesser" title="Pool members"><b>{{ item.pool || "shared" }}</b> pool</span>
          <span :class="{ zero: !item.processed }" title="Messages handled since the start"><b>{{ item.processed }}</b> done</span>
        </span>
        <span v-if="most" class="item-rate" :title="'Messages of the last three minutes, 5 s a bar, at most ' + most">
          <svg viewBox="0 0 72 18" preserveAspectRatio="none" class="spark" aria-hidden="true"><path :d="bars" /></svg>
          <b>{{ rate }}</b>/min
        </span>
      </span>
      <span v-if="targets.length" class="item-targets">
        <i class="material-icons" aria-hidden="true">arrow_forward</i><span class="unseen">sends to</span>
        {{ targets.join(", ") }}
      </span>
    </button>`,
  props: { item: Object, age: String, selected: Boolean, hot: Boolean, linked: Boolean, targets: Array },
  computed: {
    icon() {
      return (STATES[this.item.state] || ["help"])[0];
    },
    exactly() {
      const time = this.item.last;
      return time ? "Last activity: " + full(time * 1000) : "No activity since the start";
    },
    most() {
      return Math.max(0, ...this.item.recent);
    },
    rate() {
      return this.item.recent.slice(-12).reduce((sum, count) => sum + count, 0).toLocaleString("en");
    },
    bars() {
      const step = 72 / this.item.recent.length;
      return this.item.recent
        .map((count, at) => {
          const height = count ? Math.max(1.5, (17 * count) / this.most) : 0.6;
          return `M${(at * step).toFixed(1)} 18v-${height.toFixed(1)}h${(step * 0.75).toFixed(1)}V18z`;
        })
        .join("");
    },
  },
  methods: {
    broken(name) {
      return name.split(/(?<=[.])|(?<=[a-z0-9])(?=[A-Z])/);
    },
  },
};

export default {
  components: { Card },
  template: `
    <div class="board-room">
      <div class="board-tools">
        <label class="search"><i class="material-icons" aria-hidden="true">search</i>
          <input ref="search" v-model="wanted" type="search" placeholder="Filter items  ( / )" aria-label="Filter items" aria-keyshortcuts="/"
                 @keydown.esc.stop="wanted = ''; $event.target.blur()">
        </label>
        <select v-if="categories.length" v-model="category" class="choice" aria-label="Category">
          <option value="">All categories</option>
          <option v-for="name in categories" :key="name" :value="name">{{ name }}</option>
        </select>
        <div class="legend" role="group" aria-label="Items by state">
          <button v-for="state in states" :key="state.name" type="button" :disabled="!state.count"
                  :class="['is-' + state.name, { none: !state.count }]" :aria-pressed="only === state.name"
                  :title="'Show only what is ' + state.word" @click="only = only === state.name ? '' : state.name">
            <i class="material-icons" aria-hidden="true">{{ state.icon }}</i> {{ state.count }} {{ state.word }}
          </button>
        </div>
        <span v-if="narrowed" class="muted small" role="status">{{ shown }} of {{ total }} shown</span>
      </div>
      <div ref="board" :class="['board', { dense: total > ${MANY}, wired: lines.length }]" @keydown="walk">
        <svg class="links" aria-hidden="true" :width="size[0]" :height="size[1]">
          <defs><marker id="link-end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9"
            markerUnits="userSpaceOnUse" orient="auto">
            <path d="M0 0.8 7.4 4 0 7.2z" /></marker></defs>
          <path v-for="line in lines" :key="line.key" :d="line.path" :class="{ lit: line.from === lit || line.to === lit }"
                marker-end="url(#link-end)" />
        </svg>
        <section v-for="column in visible" :key="column.title" :aria-label="column.title"
                 :class="['board-column', { bare: !column.items.length }]" :style="{ flexGrow: share(column) }">
          <h2>{{ column.title }} <span class="count">{{ column.items.length }}</span></h2>
          <p v-if="!column.items.length" class="muted">{{ narrowed ? "None that fit." : "None." }}</p>
          <Card v-for="item in column.items.slice(0, first)" :key="item.name" :item="item" :age="age_of(item.last)"
                :selected="item.name === picked" :hot="item.name === hot" :linked="is_linked(item.name)"
                :targets="targets[item.name] || []" @click="$emit('pick', item.name)" @mouseenter="hot = item.name"
                @mouseleave="hot = ''" @focus="hot = item.name" @blur="hot = ''" />
        </section>
      </div>
    </div>`,
  props: { columns: Array, links: Array, selected: String, now: Number },
  data() {
    // Ages count from the server's clock: the two machines may disagree about the time.
    const offset = this.now - Date.now() / 1000;
    return { cards: {}, ties: this.links, picked: this.selected, first: FIRST, wanted: "", only: "", category: "", hot: "", lines: [], size: [0, 0], offset, clock: this.now };
  },
  created() {
    this.take(this.columns);
  },
  mounted() {
    this.grow();
    this.ticking = setInterval(this.tick, 1000);
    this.sizes = new ResizeObserver(this.draw_soon);
    this.watch_sizes();
    addEventListener("keydown", this.key);
  },
  updated() {
    this.watch_sizes();
    this.draw_soon();
  },
  unmounted() {
    clearInterval(this.ticking);
    this.sizes.disconnect();
    removeEventListener("keydown", this.key);
  },
  watch: {
    columns(now) {
      this.take(now);
    },
    links: "connect",
    selected: "select",
    picked(now, before) {
      // The panel had the keyboard: when it closes, its card gets it back.
      if (!now && before) this.$el.querySelector(`[data-item="${CSS.escape(before)}"]`)?.focus();
    },
  },
  computed: {
    all() {
      return this.columns.flatMap((column) => column.items.map((item) => this.cards[item.name] || item));
    },
    total() {
      return this.all.length;
    },
    shown() {
      return this.visible.reduce((sum, column) => sum + column.items.length, 0);
    },
    states() {
      return Object.entries(STATES).map(([name, [icon, word]]) => {
        return { name, icon, word, count: this.all.filter((item) => item.state === name).length };
      });
    },
    categories() {
      return [...new Set(this.all.flatMap((item) => item.categories))].sort((one, other) => one.localeCompare(other));
    },
    narrowed() {
      return !!(this.wanted || this.only || this.category);
    },
    visible() {
      const words = this.wanted.toLowerCase().split(/\s+/).filter(Boolean);
      const fits = (item) =>
        (!this.only || item.state === this.only) &&
        (!this.category || item.categories.includes(this.category)) &&
        words.every((word) => (item.name + " " + item.class_name + " " + item.label).toLowerCase().includes(word));
      return this.columns.map((column) => {
        return { title: column.title, items: column.items.map((item) => this.cards[item.name] || item).filter(fits) };
      });
    },
    targets() {
      const found = {};
      for (const [from, to] of this.ties) (found[from] ||= []).push(to);
      return found;
    },
    lit() {
      return this.hot || this.picked;
    },
  },
  methods: {
    take(columns) {
      this.cards = Object.fromEntries(columns.flatMap((column) => column.items).map((item) => [item.name, item]));
    },
    change(cards) {
      // Called by the server with the cards that are otherwise now, as JSON: the same text for all who watch.
      for (const card of JSON.parse(cards)) this.cards[card.name] = card;
    },
    connect(links) {
      this.ties = links;
    },
    select(name) {
      this.picked = name;
    },
    grow() {
      // After each paint some more, so that the page answers meanwhile.
      requestAnimationFrame(() =>
        setTimeout(() => {
          this.first = this.first < this.total ? this.first * 3 : Infinity;
          if (this.first < Infinity) this.grow();
        }),
      );
    },
    tick() {
      const now = Date.now() / 1000 + this.offset;
      if (now - this.clock > 15 || this.all.some((item) => now - item.last < SOON)) this.clock = now;
    },
    share(column) {
      // Of many items most are of one kind: its column is the wider one.
      return this.total > MANY ? Math.max(1, Math.sqrt(column.items.length / 6)) : 1;
    },
    age_of(time) {
      return time ? age(this.clock - time) : "idle";
    },
    is_linked(name) {
      return !!this.lit && this.ties.some(([from, to]) => (from === this.lit && to === name) || (to === this.lit && from === name));
    },
    key(event) {
      const typing = event.target.closest?.("input, textarea, select, [contenteditable], .q-dialog, .q-menu");
      if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        this.$refs.search.focus();
      } else if (event.key === "Escape" && this.picked && !document.querySelector(".q-dialog, .q-menu")) {
        this.$emit("pick", "");
      }
    },
    walk(event) {
      // The arrows go from card to card, and from column to column.
      const columns = [...this.$refs.board.querySelectorAll(".board-column")].map((one) => [...one.querySelectorAll(".item")]);
      const at = columns.findIndex((cards) => cards.includes(event.target));
      if (at < 0) return;
      const [across, down] = { ArrowDown: [0, 1], ArrowUp: [0, -1], ArrowRight: [1, 0], ArrowLeft: [-1, 0] }[event.key] || [];
      if (across === undefined) return;
      event.preventDefault();
      let next = at + across;
      while (across && columns[next]?.length === 0) next += across;
      const cards = columns[next] || columns[at];
      cards[Math.max(0, Math.min(cards.length - 1, columns[at].indexOf(event.target) + down))].focus();
    },
    watch_sizes() {
      for (const element of [this.$refs.board, ...this.$refs.board.querySelectorAll(".board-column")])
        this.sizes.observe(element);
    },
    draw_soon() {
      if (this.first < Infinity) return; // the lines come with the last of the cards
      this.drawing ||= requestAnimationFrame(() => {
        this.drawing = 0;
        if (this.$refs.board) this.draw();
      });
    },
    draw() {
      const board = this.$refs.board;
      const place = board.getBoundingClientRect();
      const size = [board.clientWidth, board.clientHeight];
      const lines = [];
      if (this.ties.length && place.width >= NARROW) {
        const boxes = {};
        for (const card of board.querySelectorAll(".item")) boxes[card.dataset.item] = card.getBoundingClientRect();
        for (const [from, to] of this.ties)
          if (boxes[from] && boxes[to])
            lines.push({ key: from + "\n" + to, from, to, path: curve(boxes[from], boxes[to], place) });
      }
      // Only what is otherwise is set: setting it draws, and drawing asks for this again.
      if (size.join() !== this.size.join()) this.size = size;
      if (JSON.stringify(lines) !== JSON.stringify(this.lines)) this.lines = lines;
    },
  },
};

function curve(from, to, place) {
  const [y1, y2] = [from.top - place.top + PORT, to.top - place.top + PORT];
  let [x1, x2] = [from.right - place.left, to.left - place.left];
  let [bend1, bend2] = [1, -1];
  if (x2 < x1) {
    // Back to the left, or within a column: out on one side and in on the same.
    const left = to.right <= from.left;
    x1 = (left ? from.left : from.right) - place.left;
    x2 = to.right - place.left;
    [bend1, bend2] = [left ? -1 : 1, 1];
  }
  const pull = Math.max(26, Math.abs(x2 - x1) / 2);
  return `M${x1} ${y1}C${x1 + bend1 * pull} ${y1} ${x2 + bend2 * pull} ${y2} ${x2} ${y2}`;
}
