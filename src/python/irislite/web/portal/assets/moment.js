// A time in the reader's own zone; the tooltip keeps it as it is stored.

import { full } from "/portal-assets/clock.js";

export default {
  template: `<time :datetime="time" :title="time">{{ local }}</time>`,
  props: { time: String },
  computed: {
    local() {
      return full(this.time);
    },
  },
};
