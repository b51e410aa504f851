// The items of a production as cards in columns. Emits `pick` with an item's name.
// Everything shown goes through Vue's text interpolation: it is text, never markup.

const ICONS = {
  running: "check_circle",
  starting: "pending",
  error: "report",
  disabled: "do_not_disturb_on",
  stopped: "stop_circle",
};

export default {
  template: `
    <div class="board">
      <section v-for="column in columns" :key="column.title" 
               :class="['board-column', { bare: !column.items.length }]" :aria-label="column.title">
        <h2>{{ column.title }} <span class="count">{{ column.items.length }}</span></h2>
        <p v-if="!column.items.length" class="muted">None.</p>
        <button v-for="item in column.items" :key="item.name" type="button" :class="['item', 'state-' + item.state]"
                :aria-pressed="item.name === selected" :data-item="item.name" @click="$emit('pick', item.name)">
          <span class="item-head">
            <i class="material-icons light" aria-hidden="true">{{ icon(item.state) }}</i>
            <span class="item-name"><template v-for="part in item.name.split(/(?<=[.])/)">{{ part }}<wbr></template></span>
            <span class="state-word">{{ item.label }}</span>
          </span>
          <span class="item-line">
            <span class="item-class"><template v-for="part in item.class_name.split(/(?<=[.])/)">{{ part }}<wbr></template></span>
            <span class="item-age" :title="exactly(item.last)">{{ age(item.last) }}</span>
          </span>
          <span v-if="item.reason" class="item-reason">{{ item.reason }}</span>
          <span class="item-facts">
            <span title="Messages that wait"><b>{{ item.queue }}</b> queued</span>
            <span v-if="item.busy" title="Messages that are worked on"><b>{{ item.busy }}</b> in work</span>
            <span title="Pool members"><b>{{ item.pool || "shared" }}</b> pool</span>
            <span title="Messages handled since the start"><b>{{ item.processed }}</b> done</span>
          </span>
        </button>
      </section>
    </div>`,
  props: { columns: Array, selected: String, now: Number },
  data() {
    // Ages count from the server's clock: the two machines may disagree about the time.
    return { offset: this.now - Date.now() / 1000, clock: this.now };
  },
  mounted() {
    this.ticking = setInterval(() => (this.clock = Date.now() / 1000 + this.offset), 1000);
  },
  unmounted() {
    clearInterval(this.ticking);
  },
  watch: {
    selected(now, before) {
      // The panel had the keyboard: when it closes, its card gets it back.
      if (!now && before) this.$el.querySelector(`[data-item="${CSS.escape(before)}"]`)?.focus();
    },
  },
  methods: {
    icon(state) {
      return ICONS[state] || "help";
    },
    exactly(time) {
      return time ? "Last activity: " + new Date(time * 1000).toLocaleString() : "No activity since the start";
    },
    age(time) {
      if (!time) return "idle";
      const seconds = Math.max(0, Math.round(this.clock - time));
      if (seconds < 2) return "now";
      if (seconds < 60) return seconds + " s ago";
      if (seconds < 3600) return Math.floor(seconds / 60) + " min ago";
      if (seconds < 86400) return Math.floor(seconds / 3600) + " h ago";
      return Math.floor(seconds / 86400) + " d ago";
    },
  },
};
