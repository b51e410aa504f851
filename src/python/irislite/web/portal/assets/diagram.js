// A session as a sequence diagram: hosts as columns, messages as numbered arrows. Emits `pick` with a message's id.
// A request is solid, a response dashed, a failure ends in a cross and says so: never colour alone. `notes` are log entries
// that stand between the arrows, `{id, row, column, type, text, time}`; an arrow's and a note's `row` is its place from the top.

const ROW = 44; // pixels of height for one message
const NOTE = 22; // for one log entry
const GUTTER = 74; // for the times at the left
const NARROWEST = 92; // of one column
const HEAD = 7; // half the height of an arrowhead
const MARKS = { Error: "✖ Error:", Alert: "✖ Alert:", Warning: "▲ Warning:" };

export default {
  template: `
    <div class="diagram" ref="frame">
      <div :style="{ width: width + 'px' }">
        <div class="diagram-hosts">
          <span class="diagram-zero" :style="{ width: gutter + 'px' }">+ ms</span>
          <span v-for="(column, index) in columns" :key="column.name" :class="['host', 'host-' + column.kind]"
                :style="{ left: x(index) - step / 2 + 3 + 'px', width: step - 6 + 'px' }" :title="column.name">
            <small>{{ column.kind }}</small>{{ column.name }}
          </span>
        </div>
        <svg :width="width" :height="height" role="group" aria-label="Messages of the session">
          <line v-for="(column, index) in columns" :key="column.name" class="lifeline"
                :x1="x(index)" :x2="x(index)" y1="0" :y2="height" />
          <g v-for="note in notes" :key="'note-' + note.id" :class="['note', 'note-' + note.type.toLowerCase()]">
            <title>{{ note.time }} {{ note.type }}: {{ note.text }}</title>
            <text :x="note_x(note)" :text-anchor="is_right(note) ? 'end' : 'start'" :y="tops[note.row] + NOTE / 2 + 4">{{ note_text(note) }}</text>
          </g>
          <g v-for="arrow in arrows" :key="arrow.id" tabindex="0" role="button" :data-message="arrow.id"
             :class="['arrow', 'arrow-' + arrow.kind, { failed: arrow.failed, waiting: arrow.waiting }]"
             :aria-pressed="arrow.id === selected" :aria-label="spoken(arrow)"
             @click="$emit('pick', arrow.id)" @keydown.enter.prevent="$emit('pick', arrow.id)"
             @keydown.space.prevent="$emit('pick', arrow.id)"
             @keydown.down.prevent="step_to($event, 'nextElementSibling')"
             @keydown.up.prevent="step_to($event, 'previousElementSibling')">
            <rect class="hit" x="2" :y="tops[arrow.row] + 1" :width="width - 4" :height="ROW - 2" rx="4" />
            <text class="offset" :x="gutter - 10" :y="y(arrow) + 4" text-anchor="end">{{ arrow.offset }}</text>
            <path class="shaft" :d="shaft(arrow)" />
            <path v-if="!arrow.failed" class="head" :d="head(arrow)" />
            <path v-else class="cross" :d="cross(arrow)" />
            <circle class="badge" :cx="x(arrow.from)" :cy="y(arrow)" r="10" />
            <text class="badge-number" :x="x(arrow.from)" :y="y(arrow) + 4" text-anchor="middle">{{ arrow.number }}</text>
            <text class="label" :x="middle(arrow)" :y="y(arrow) - 7" :text-anchor="anchor(arrow)">{{ caption(arrow) }}</text>
            <text class="took" :x="middle(arrow)" :y="y(arrow) + 15" :text-anchor="anchor(arrow)">{{ arrow.note }}</text>
          </g>
        </svg>
      </div>
    </div>`,
  props: { columns: Array, arrows: Array, notes: { type: Array, default: () => [] }, selected: Number },
  data() {
    return { available: 800, ROW, NOTE };
  },
  mounted() {
    this.observer = new ResizeObserver(([entry]) => (this.available = entry.contentRect.width));
    this.observer.observe(this.$refs.frame);
    this.$nextTick(() => this.$el.querySelector('[aria-pressed="true"]')?.scrollIntoView({ block: "nearest" }));
  },
  unmounted() {
    this.observer.disconnect();
  },
  computed: {
    gutter() {
      return this.available < 500 ? 52 : GUTTER;
    },
    step() {
      return Math.max(NARROWEST, (this.available - this.gutter - 4) / Math.max(1, this.columns.length));
    },
    width() {
      return Math.floor(this.gutter + this.step * this.columns.length);
    },
    tops() {
      const heights = [];
      for (const arrow of this.arrows) heights[arrow.row] = ROW;
      for (const note of this.notes) heights[note.row] = NOTE;
      let top = 0;
      return [...heights, 0].map((height) => (top += height) - height);
    },
    height() {
      return this.tops[this.tops.length - 1] + 8;
    },
  },
  methods: {
    x(column) {
      return this.gutter + (column + 0.5) * this.step;
    },
    y(arrow) {
      return this.tops[arrow.row] + ROW / 2 + 2;
    },
    middle(arrow) {
      if (arrow.from === arrow.to) return this.x(arrow.from) + 34;
      return (this.x(arrow.from) + this.x(arrow.to)) / 2;
    },
    anchor(arrow) {
      return arrow.from === arrow.to ? "start" : "middle";
    },
    tip(arrow) {
      // Where the arrow ends, and in which direction it points (1 right, -1 left).
      const direction = arrow.to > arrow.from ? 1 : -1;
      return [this.x(arrow.to) - (arrow.from === arrow.to ? -12 : direction * 2), direction];
    },
    shaft(arrow) {
      const [end, direction] = this.tip(arrow);
      const y = this.y(arrow);
      if (arrow.from === arrow.to) {
        const start = this.x(arrow.from);
        return "M" + start + " " + (y - 8) + " h28 v16 H" + (end + 4);
      }
      return "M" + (this.x(arrow.from) + direction * 10) + " " + y + " H" + (end - direction * 4);
    },
    head(arrow) {
      const [end, direction] = this.tip(arrow);
      const y = this.y(arrow) + (arrow.from === arrow.to ? 8 : 0);
      return "M" + end + " " + y + " l" + -direction * 11 + " " + -HEAD + " v" + 2 * HEAD + " z";
    },
    cross(arrow) {
      const [end, direction] = this.tip(arrow);
      const x = end - direction * 10;
      const y = this.y(arrow) + (arrow.from === arrow.to ? 8 : 0);
      return "M" + (x - 6) + " " + (y - 6) + " l12 12 m0 -12 l-12 12";
    },
    caption(arrow) {
      const room = arrow.from === arrow.to ? this.step / 2 : Math.abs(arrow.to - arrow.from) * this.step - 44;
      const letters = Math.max(4, Math.floor(room / 6.3));
      const parts = arrow.failed ? ["Error"] : [];
      // Where a whole class name has no room, its last part says most.
      if (arrow.label) parts.push(arrow.label.length > letters - 8 ? arrow.label.split(".").pop() : arrow.label);
      const text = parts.join(" · ");
      return text.length > letters ? text.slice(0, letters - 1) + "…" : text;
    },
    is_right(note) {
      return this.columns.length > 1 && note.column >= this.columns.length / 2; // where there is room
    },
    note_x(note) {
      if (note.column === null) return this.gutter + 8;
      return this.x(note.column) + (this.is_right(note) ? -8 : 8);
    },
    note_text(note) {
      const letters = Math.max(6, Math.floor((this.is_right(note) ? this.note_x(note) - this.gutter : this.width - this.note_x(note)) / 6.2));
      const text = (MARKS[note.type] || "•") + " " + note.text.split("\n", 1)[0];
      return text.length > letters ? text.slice(0, letters - 1) + "…" : text;
    },
    spoken(arrow) {
      const names = this.columns.map((column) => column.name);
      const parts = [
        "Message " + arrow.number,
        arrow.kind + (arrow.failed ? ", failed" : ""),
        "from " + names[arrow.from] + " to " + names[arrow.to],
        arrow.label,
        arrow.status,
        arrow.note,
      ];
      return parts.filter(Boolean).join(", ");
    },
    step_to(event, sibling) {
      const next = event.currentTarget[sibling];
      if (next?.classList.contains("arrow")) next.focus();
    },
  },
};
