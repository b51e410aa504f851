// A button that copies a text, or what an address of this server answers, to the clipboard.

export default {
  template: `
    <button type="button" class="row-act" @click="copy">
      <i class="material-icons" aria-hidden="true">{{ done ? "check" : "content_copy" }}</i>
      <span aria-live="polite">{{ done || label }}</span></button>`,
  props: { label: String, text: String, url: String },
  data() {
    return { done: "" };
  },
  methods: {
    async copy() {
      try {
        await this.put(this.url ? await (await fetch(this.url)).text() : this.text || location.href);
        this.done = "Copied";
      } catch {
        this.done = "Could not be copied";
      }
      setTimeout(() => (this.done = ""), 2000);
    },
    async put(text) {
      if (navigator.clipboard) return navigator.clipboard.writeText(text);
      const area = document.createElement("textarea"); // without TLS there is no other way
      area.value = text;
      area.style.position = "fixed";
      document.body.append(area);
      area.select();
      const worked = document.execCommand("copy");
      area.remove();
      if (!worked) throw new Error("refused");
    },
  },
};
