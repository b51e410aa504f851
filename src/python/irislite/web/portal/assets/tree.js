// A JSON value as a tree that folds.

const Node = {
  name: "Node",
  props: { name: [String, Number], value: {}, depth: Number },
  template: `
    <details v-if="isBranch" class="branch" :open="depth < 3">
      <summary><span v-if="name !== undefined" class="key">{{ name }}</span> <span class="size">{{ size }}</span></summary>
      <div class="children">
        <Node v-for="(part, key) in value" :key="key" :name="key" :value="part" :depth="depth + 1" />
      </div>
    </details>
    <div v-else class="leaf">
      <span v-if="name !== undefined" class="key">{{ name }}</span>
      <span :class="'value-' + kind">{{ text }}</span>
    </div>`,
  computed: {
    isBranch() {
      return this.value !== null && typeof this.value === "object" && Object.keys(this.value).length > 0;
    },
    size() {
      const count = Object.keys(this.value).length;
      return Array.isArray(this.value) ? "[" + count + "]" : "{" + count + "}";
    },
    kind() {
      return this.value === null ? "null" : typeof this.value;
    },
    text() {
      return typeof this.value === "string" ? this.value : JSON.stringify(this.value);
    },
  },
};

export default {
  components: { Node },
  template: `<div class="tree"><Node :value="value" :depth="0" /></div>`,
  props: { value: {} },
};
