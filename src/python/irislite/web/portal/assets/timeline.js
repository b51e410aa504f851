// Where a session's time went: a bar for each request, from its sending to its answer. Emits `pick` with a message's id.
// Striped is the queue, solid is work, thin is what passed until the answer: never colour alone.

export default {
  template: `
    <div class="timeline">
      <div class="timeline-scale" aria-hidden="true"><span></span><span class="ticks"><span v-for="tick in ticks" :key="tick.at"
        :style="{ left: tick.at + '%' }">{{ tick.words }}</span></span></div>
      <button v-for="bar in bars" :key="bar.id" type="button" :class="['bar', { failed: bar.failed }]" :data-message="bar.id"
              :aria-pressed="bar.id === selected" @click="$emit('pick', bar.id)">
        <span class="bar-name"><b>{{ bar.number }}</b> {{ bar.name }}</span>
        <span class="track" :title="bar.words">
          <i v-for="part in parts(bar)" :key="part.kind" :class="'part-' + part.kind"
             :style="{ left: part.at + '%', width: part.size + '%' }"></i>
          <i v-if="bar.failed" class="part-failed" :style="{ left: end(bar) + '%' }">✖</i>
        </span>
        <span class="bar-words">{{ bar.words }}</span>
      </button>
      <p v-if="!bars.length" class="muted empty">There is no request here.</p>
      <div class="keys">
        <span><i class="part-wait swatch"></i>In the queue</span><span><i class="part-work swatch"></i>At work</span>
        <span><i class="part-rest swatch"></i>Until the answer, or not known which</span>
      </div>
    </div>`,
  emits: ["pick"],
  props: { bars: Array, total: Number, selected: Number },
  computed: {
    ticks() {
      const whole = Math.max(this.total, 0.001);
      const step = 10 ** Math.floor(Math.log10(whole));
      const size = whole / step < 2 ? step / 2 : whole / step < 5 ? step : step * 2;
      const found = [];
      for (let time = 0; time < whole; time += size) found.push({ at: (time / whole) * 100, words: this.spoken(time) });
      return found;
    },
  },
  methods: {
    spoken(time) {
      return time >= 1000 ? +(time / 1000).toPrecision(3) + " s" : +time.toPrecision(3) + " ms";
    },
    parts(bar) {
      const whole = Math.max(this.total, 0.001);
      let at = bar.offset;
      const found = [];
      for (const kind of ["wait", "work", "rest"]) {
        if (bar[kind] > 0) found.push({ kind, at: (at / whole) * 100, size: (bar[kind] / whole) * 100 });
        at += bar[kind];
      }
      return found;
    },
    end(bar) {
      return Math.min(98, ((bar.offset + bar.wait + bar.work + bar.rest) / Math.max(this.total, 0.001)) * 100);
    },
  },
};
