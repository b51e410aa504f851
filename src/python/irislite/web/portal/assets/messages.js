// Message headers as rows, each with a way into its session's trace.

import { short } from "/portal-assets/clock.js";

const ICONS = {
  Created: "radio_button_unchecked",
  Queued: "schedule",
  Delivered: "pending",
  Discarded: "delete",
  Suspended: "pause_circle",
  Deferred: "update",
  Aborted: "block",
  Error: "report",
  Completed: "check_circle",
};

export default {
  template: `
    <div class="records">
      <table v-if="messages.length" class="messages">
        <caption class="unseen">Messages, newest first</caption>
        <thead><tr>
          <th scope="col">Id</th><th scope="col">Created</th><th scope="col">Status</th><th scope="col">Source</th>
          <th scope="col">Target</th><th scope="col">Body</th><th scope="col">Took</th><th scope="col">Session</th>
        </tr></thead>
        <tbody>
          <tr v-for="message in messages" :key="message.id" :data-message="message.id">
            <td class="number"><a :href="'/trace?session=' + message.session + '&message=' + message.id">{{ message.id }}</a></td>
            <td class="when"><time :datetime="message.time" :title="message.time">{{ clock(message.time) }}</time></td>
            <td :class="['what', 'status-' + message.status.toLowerCase()]">
              <i class="material-icons" aria-hidden="true">{{ icon(message.status) }}</i> {{ message.status }}
            </td>
            <td class="who"><span class="from">{{ message.source }}</span></td>
            <td class="who"><i class="material-icons direction" :title="message.type">{{ message.type === "Response" ? "reply" : "arrow_forward" }}</i><span class="unseen">{{ message.type }} to</span> {{ message.target }}</td>
            <td class="class">
              {{ message.class_name }}
              <span v-if="message.error" class="error-line" :title="message.error">{{ message.error }}</span>
            </td>
            <td class="number took">{{ message.took }}</td>
            <td class="link"><a :href="'/trace?session=' + message.session + '&message=' + message.id"
                 :title="'Visual Trace of session ' + message.session">{{ message.session }}</a></td>
          </tr>
        </tbody>
      </table>
      <p v-else class="muted empty">{{ empty }}</p>
    </div>`,
  props: { messages: Array, empty: String },
  methods: {
    icon(status) {
      return ICONS[status] || "help";
    },
    clock: short,
  },
};
