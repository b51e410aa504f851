// A table of plain values: what it gets is text, whatever it looks like. Numbers stand at the right.

const LONG = 300; // characters of a cell before it is cut; the title and a copy have more

export default {
  template: `
    <div class="records grid" tabindex="0" role="region" :aria-label="caption">
      <table v-if="columns.length && (rows.length || headed)">
        <caption class="unseen">{{ caption }}</caption>
        <thead><tr>
          <th v-if="first" scope="col" class="number"><span class="unseen">Row</span>#</th>
          <th v-for="(column, place) in columns" :key="place" scope="col" :class="{ number: is_number(place) }">{{ column }}</th>
        </tr></thead>
        <tbody>
          <tr v-for="(row, number) in rows" :key="number">
            <td v-if="first" class="number muted">{{ first + number }}</td>
            <td v-for="(value, place) in row" :key="place" :data-column="columns[place]" :class="{ number: is_number(place), nothing: value === null }"
                :title="long(value) ? String(value).slice(0, 4000) : null">{{ shown(value) }}</td>
          </tr>
        </tbody>
      </table>
      <p v-if="!rows.length" class="muted empty">{{ empty }}</p>
    </div>`,
  props: { caption: String, columns: Array, rows: Array, first: Number, nothing: String, empty: String, headed: Boolean },
  computed: {
    numbers() {
      return this.columns.map((_, place) => {
        const known = this.rows.map((row) => row[place]).filter((value) => value !== null);
        return known.length > 0 && known.every((value) => typeof value === "number" || /^[\d,.\-–+ ]+(%|J|kJ|g|mg|s|ms|B|kB|MB|GB|Wh|kWh)?$/.test(value));
      });
    },
  },
  methods: {
    is_number(place) {
      return this.numbers[place];
    },
    long(value) {
      return String(value).length > LONG;
    },
    shown(value) {
      if (value === null) return this.nothing;
      const text = String(value);
      return text.length > LONG ? text.slice(0, LONG) + "…" : text;
    },
  },
};
