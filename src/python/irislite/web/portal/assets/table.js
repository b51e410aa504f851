// A table of rows with their own columns and, perhaps, a button or two each. Emits `act` with the action's name and the
// row's id. A cell is a text; or an object: {time}, {href, text}, {state, icon, text}, {code}.

import { short } from "/portal-assets/clock.js";

export default {
  template: `
    <div class="records">
      <table v-if="rows.length" class="plain">
        <caption class="unseen">{{ caption }}</caption>
        <thead><tr>
          <th v-for="column in columns" :key="column.name" scope="col">{{ column.label }}</th>
          <th v-if="actions.length" scope="col"><span class="unseen">Actions</span></th>
        </tr></thead>
        <tbody>
          <tr v-for="row in rows" :key="row.id" :data-row="row.id">
            <td v-for="column in columns" :key="column.name" :class="['cell-' + column.name, column.kind]">
              <time v-if="row[column.name]?.time" :datetime="row[column.name].time" :title="row[column.name].time">{{ clock(row[column.name].time) }}</time>
              <a v-else-if="row[column.name]?.href" :href="row[column.name].href">{{ row[column.name].text }}</a>
              <span v-else-if="row[column.name]?.state" :class="'what status-' + row[column.name].state">
                <i class="material-icons" aria-hidden="true">{{ row[column.name].icon }}</i> {{ row[column.name].text }}</span>
              <code v-else-if="row[column.name]?.code" :title="row[column.name].code">{{ row[column.name].code }}</code>
              <template v-else-if="typeof row[column.name] !== 'object'">{{ row[column.name] }}</template>
            </td>
            <td v-if="actions.length" class="acts">
              <button v-for="action in row.fixed ? [] : actions" :key="action.name" type="button" :class="['row-act', action.kind]"
                      :aria-label="action.label + ' ' + row.id" :title="action.label" @click="$emit('act', [action.name, row.id])">
                <i class="material-icons" aria-hidden="true">{{ action.icon }}</i> {{ action.label }}</button>
            </td>
          </tr>
        </tbody>
      </table>
      <p v-else class="muted empty">{{ empty }}</p>
    </div>`,
  props: { caption: String, columns: Array, rows: Array, actions: Array, empty: String },
  methods: {
    clock: short,
  },
};
