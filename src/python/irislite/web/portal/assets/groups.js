// Log entries that say the same, with how often, from when, until when. Emits `show` with a group's number.

import { short } from "/portal-assets/clock.js";

const ICONS = { Assert: "rule", Error: "report", Warning: "warning", Info: "info", Trace: "route", Alert: "notifications_active" };

export default {
  template: `
    <div class="records">
      <table v-if="groups.length" class="log groups">
        <caption class="unseen">Entries that say the same</caption>
        <thead><tr>
          <th scope="col">Count</th><th scope="col">Type</th><th scope="col">Item</th><th scope="col">The newest says</th>
          <th scope="col">First</th><th scope="col">Last</th><th scope="col">Session</th>
        </tr></thead>
        <tbody>
          <tr v-for="(group, number) in groups" :key="group.id" :class="'log-' + group.type.toLowerCase()">
            <td class="number count-cell"><button type="button" class="row-act" :title="'Show these entries of ' + (group.item || 'no item')"
                @click="$emit('show', number)"><b>{{ group.count.toLocaleString("en") }}</b> ×</button></td>
            <td class="what"><i class="material-icons" aria-hidden="true">{{ icon(group.type) }}</i> {{ group.type }}</td>
            <td class="who">{{ group.item || "–" }}</td>
            <td class="text"><span class="prose">{{ group.text }}</span>
              <details v-if="group.stack"><summary>Traceback</summary><pre>{{ group.stack }}</pre></details></td>
            <td class="when"><time :datetime="group.first" :title="group.first">{{ clock(group.first) }}</time></td>
            <td class="when"><time :datetime="group.last" :title="group.last">{{ clock(group.last) }}</time></td>
            <td class="link"><a v-if="group.session" :href="'/trace?session=' + group.session + '&message=' + group.message"
                 :title="'Visual Trace of session ' + group.session">{{ group.session }}</a></td>
          </tr>
        </tbody>
      </table>
      <p v-else class="muted empty">{{ empty }}</p>
    </div>`,
  emits: ["show"],
  props: { groups: Array, empty: String },
  methods: {
    icon(type) {
      return ICONS[type] || "info";
    },
    clock: short,
  },
};
