// Message headers as rows, each with a way into its session's trace. Where rows can be chosen, it emits `choose` with the
// ids that are chosen, and `open` with the id of the message whose body is asked for.

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
          <th v-if="choosable" scope="col" class="choose"><input type="checkbox" aria-label="Choose all of this page"
              :checked="all" :indeterminate="some && !all" @change="choose_all($event.target.checked)"></th>
          <th scope="col">Id</th><th scope="col">Created</th><th scope="col">Status</th><th scope="col">Source</th>
          <th scope="col">Target</th><th scope="col">Body</th><th scope="col">Took</th><th scope="col">Session</th>
        </tr></thead>
        <tbody>
          <tr v-for="message in messages" :key="message.id" :data-message="message.id"
              :class="{ chosen: chosen.includes(message.id) }">
            <td v-if="choosable" class="choose"><input type="checkbox" :aria-label="'Choose message ' + message.id"
                :checked="chosen.includes(message.id)" @change="choose(message.id, $event.target.checked)"></td>
            <td class="number"><a :href="'/trace?session=' + message.session + '&message=' + message.id">{{ message.id }}</a></td>
            <td class="when"><time :datetime="message.time" :title="message.time">{{ clock(message.time) }}</time></td>
            <td :class="['what', 'status-' + message.status.toLowerCase()]">
              <i class="material-icons" aria-hidden="true">{{ icon(message.status) }}</i> {{ message.status }}
            </td>
            <td class="who"><span class="from">{{ message.source }}</span></td>
            <td class="who"><i class="material-icons direction" :title="message.type">{{ message.type === "Response" ? "reply" : "arrow_forward" }}</i><span class="unseen">{{ message.type }} to</span> {{ message.target }}</td>
            <td class="class">
              <button v-if="choosable && message.class_name" type="button" class="peek" :title="'Show the body of message ' + message.id"
                      @click="$emit('open', message.id)">{{ message.class_name }}
                <span v-if="message.preview" class="preview-line">{{ message.preview }}</span></button>
              <template v-else>{{ message.class_name }}</template>
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
  emits: ["choose", "open"],
  props: { messages: Array, empty: String, choosable: Boolean, chosen: { type: Array, default: () => [] } },
  computed: {
    all() {
      return this.messages.every((message) => this.chosen.includes(message.id));
    },
    some() {
      return this.messages.some((message) => this.chosen.includes(message.id));
    },
  },
  methods: {
    choose(id, on) {
      this.$emit("choose", on ? [...this.chosen, id] : this.chosen.filter((other) => other !== id));
    },
    choose_all(on) {
      const here = this.messages.map((message) => message.id);
      const rest = this.chosen.filter((id) => !here.includes(id));
      this.$emit("choose", on ? [...rest, ...here] : rest);
    },
    icon(status) {
      return ICONS[status] || "help";
    },
    clock: short,
  },
};
