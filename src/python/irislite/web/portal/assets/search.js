// A search as text and as conditions, joined by `and` and `or`; and the searches that are kept.
// Emits `search` with the text, `save` with a name and the text, `forget` with a name. `answer` counts what the server has
// read, `asked` is what it read last: what somebody went on doing before the answer came is not undone by it.

const WORDS = { "=": "is", "!=": "is not", "~": "contains", "!~": "does not contain" };
const TIME_WORDS = { ">=": "since", "<": "before", ">": "after", "<=": "until" };
const AGES = { "-15m": "15 minutes ago", "-1h": "1 hour ago", "-24h": "1 day ago", "-7d": "7 days ago" };

const Condition = {
  template: `
    <div class="condition">
      <select v-model="condition.field" aria-label="Field" @change="refit">
        <option v-for="field in fields" :key="field.name" :value="field.name" :title="field.help">{{ field.name }}</option>
      </select>
      <select v-model="condition.sign" aria-label="Comparison" @change="$emit('changed')">
        <option v-for="sign in field.signs" :key="sign" :value="sign">{{ word(sign) }}</option>
      </select>
      <select v-if="field.words.length" v-model="condition.value" :aria-label="'Value of ' + field.name" @change="$emit('changed')">
        <option v-for="word in field.words" :key="word">{{ word }}</option>
      </select>
      <template v-else-if="field.kind === 'time'">
        <select v-model="condition.value" :aria-label="'Value of ' + field.name" @change="$emit('changed')">
          <option v-if="!AGES[condition.value]" :value="condition.value">{{ condition.value ? shown(condition.value) : "choose" }}</option>
          <option v-for="(words, age) in AGES" :key="age" :value="age">{{ words }}</option>
        </select>
        <input type="datetime-local" step="1" :aria-label="'A time for ' + field.name" @change="at($event.target.value)">
      </template>
      <input v-else v-model="condition.value" :type="field.kind === 'number' ? 'number' : 'text'" step="any"
             :list="field.kind === 'name' ? names : null" :aria-label="'Value of ' + field.name" @change="$emit('changed')">
      <button type="button" class="row-act" aria-label="Take this condition away" title="Take this condition away"
              @click="$emit('away')"><i class="material-icons" aria-hidden="true">close</i></button>
    </div>`,
  props: { condition: Object, fields: Array, names: String },
  emits: ["changed", "away"],
  data() {
    return { AGES };
  },
  computed: {
    field() {
      return this.fields.find((field) => field.name === this.condition.field);
    },
  },
  methods: {
    word(sign) {
      return (this.field.kind === "time" ? TIME_WORDS : WORDS)[sign] || sign;
    },
    refit() {
      if (!this.field.signs.includes(this.condition.sign)) this.condition.sign = this.field.signs[0];
      this.condition.value = this.field.words[0] || "";
      if (this.condition.value) this.$emit("changed");
    },
    at(local) {
      if (!local) return;
      this.condition.value = new Date(local).toISOString().slice(0, 19) + "Z";
      this.$emit("changed");
    },
    shown(value) {
      const time = new Date(value);
      return isNaN(time) ? value : time.toLocaleString();
    },
  },
};

export default {
  components: { Condition },
  template: `
    <form class="search-bar" role="search" @submit.prevent="ask(typed)">
      <div class="search-line">
        <label class="search"><i class="material-icons" aria-hidden="true">search</i>
          <input v-model="typed" type="search" spellcheck="false" autocapitalize="off" autocomplete="off" aria-label="Search"
                 :placeholder="hint" :aria-invalid="!!problem" @search="typed || ask('')">
        </label>
        <button type="submit" class="row-act">Search</button>
        <button type="button" class="row-act" :aria-expanded="open" @click="toggle">
          <i class="material-icons" aria-hidden="true">tune</i> Conditions</button>
        <select v-if="saved.length" v-model="picked" aria-label="Saved searches" @change="recall">
          <option value="">Saved searches</option>
          <option v-for="search in saved" :key="search.name" :value="search.name">{{ search.name }}</option>
        </select>
        <button v-if="picked" type="button" class="row-act" @click="$emit('forget', picked); picked = ''">Forget it</button>
        <button v-else-if="typed && !naming" type="button" class="row-act" @click="naming = true">
          <i class="material-icons" aria-hidden="true">bookmark_add</i> Save</button>
        <span v-if="naming" class="naming">
          <input v-model="name" aria-label="Name of the search" placeholder="Name" maxlength="80" @keydown.enter.prevent="keep">
          <button type="button" class="row-act" @click="keep">Save it</button>
        </span>
      </div>
      <p v-if="problem" class="problem" role="alert">{{ problem }}</p>
      <div v-if="open" class="conditions">
        <datalist :id="list"><option v-for="name in names" :key="name" :value="name"></option></datalist>
        <div v-for="(group, place) in groups" :key="place" class="alternative" role="group" :aria-label="'Alternative ' + (place + 1)">
          <template v-for="(condition, index) in group" :key="index">
            <span class="joint">{{ index ? "and" : place ? "or" : "where" }}</span>
            <Condition :condition="condition" :fields="fields" :names="list" @changed="changed" @away="away(place, index)" />
          </template>
          <span></span><div><button type="button" class="row-act" @click="group.push(fresh())">+ and</button></div>
        </div>
        <button type="button" class="row-act" @click="groups.push([fresh()])">+ or</button>
      </div>
    </form>`,
  // Named here, or the browser's own event of a search box, which rises through the form, would be taken for ours.
  emits: ["search", "save", "forget"],
  props: {
    fields: Array, query: Array, text: String, asked: String, answer: Number, problem: String, names: Array, saved: Array, hint: String,
  },
  data() {
    return {
      typed: this.text, open: false, groups: [], naming: false, name: "", picked: "", waiting: [],
      list: "names-" + Math.random().toString(36).slice(2),
    };
  },
  created() {
    this.take();
  },
  watch: {
    answer() {
      const place = this.waiting.findLastIndex((one) => one.text === this.asked);
      const own = this.waiting.splice(0, place + 1).pop();
      if (own && own.left !== this.left()) return;
      this.typed = this.text;
      if (!own?.byHand) this.take(); // conditions by hand stay, also those without a value yet
    },
  },
  methods: {
    ask(text, byHand = false) {
      this.waiting.push({ text, byHand, left: this.left() });
      this.$emit("search", text);
    },
    left() {
      return JSON.stringify([this.typed, this.groups]);
    },
    take() {
      this.groups = this.query.map((group) => group.map((condition) => ({ ...condition })));
      if (!this.groups.length) this.groups = [[this.fresh()]];
    },
    fresh() {
      const field = this.fields[0];
      return { field: field.name, sign: field.signs[0], value: "" };
    },
    toggle() {
      this.open = !this.open;
    },
    changed() {
      const complete = this.groups.map((group) => group.filter((condition) => String(condition.value) !== ""));
      const text = complete.filter((group) => group.length).map((group) => group.map(this.written).join(" and ")).join(" or ");
      this.typed = text;
      this.ask(text, true);
    },
    written({ field, sign, value }) {
      const text = String(value);
      const plain = /^[^\s"=~<>!]+$/.test(text) && !["and", "or"].includes(text.toLowerCase());
      return field + sign + (plain ? text : '"' + text.replaceAll("\\", "\\\\").replaceAll('"', '\\"') + '"');
    },
    away(place, index) {
      this.groups[place].splice(index, 1);
      if (!this.groups[place].length) this.groups.splice(place, 1);
      if (!this.groups.length) this.groups = [[this.fresh()]];
      this.changed();
    },
    recall() {
      const found = this.saved.find((search) => search.name === this.picked);
      if (found) this.ask(found.query);
    },
    keep() {
      if (!this.name.trim()) return;
      this.$emit("save", [this.name, this.typed]);
      this.naming = false;
      this.name = "";
    },
  },
};
