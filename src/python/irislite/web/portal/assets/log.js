// Event log entries; tracebacks and long texts are folded. `items` and `links` are columns that a page may do without.

import { short } from "/portal-assets/clock.js";

const ICONS = {
  Assert: "rule",
  Error: "report",
  Warning: "warning",
  Info: "info",
  Trace: "route",
  Alert: "notifications_active",
};

const LONG = 700; // characters
const LINES = 6;

export default {
  template: `
    <div class="records">
      <table v-if="entries.length" class="log">
        <caption class="unseen">Event log entries</caption>
        <thead><tr>
          <th scope="col">Time</th><th scope="col">Type</th><th v-if="items" scope="col">Item</th>
          <th scope="col">Text</th><th v-if="links" scope="col">Session</th>
        </tr></thead>
        <tbody>
          <tr v-for="entry in entries" :key="entry.id" :class="'log-' + entry.type.toLowerCase()">
            <td class="when"><time :datetime="entry.time" :title="entry.time">{{ clock(entry.time) }}</time></td>
            <td class="what"><i class="material-icons" aria-hidden="true">{{ icon(entry.type) }}</i> {{ entry.type }}</td>
            <td v-if="items" class="who">{{ entry.item || "–" }}</td>
            <td class="text">
              <details v-if="is_long(entry.text)" class="long">
                <summary class="prose">{{ first_line(entry.text) }}</summary><pre>{{ entry.text }}</pre>
              </details>
              <span v-else class="prose">{{ entry.text }}</span>
              <details v-if="entry.stack"><summary>Traceback</summary><pre>{{ entry.stack }}</pre></details>
            </td>
            <td v-if="links" class="link">
              <a v-if="entry.session" :href="'/trace?session=' + entry.session + '&message=' + entry.message"
                 :title="'Visual Trace of session ' + entry.session">{{ entry.session }}</a>
            </td>
          </tr>
        </tbody>
      </table>
      <p v-else class="muted empty">{{ empty }}</p>
    </div>`,
  props: { entries: Array, items: Boolean, links: Boolean, empty: String },
  methods: {
    icon(type) {
      return ICONS[type] || "info";
    },
    clock: short,
    is_long(text) {
      return text.length > LONG || text.split("\n", LINES + 1).length > LINES;
    },
    first_line(text) {
      const line = text.split("\n", 1)[0];
      return line.length > LONG ? line.slice(0, LONG) + "…" : line;
    },
  },
};
