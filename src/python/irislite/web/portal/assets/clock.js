// How the portal writes a time: in the reader's own zone, the day only when it is not today.

function pad(number, places) {
  return String(number).padStart(places, "0");
}

export function time_of_day(moment) {
  const parts = [moment.getHours(), moment.getMinutes(), moment.getSeconds()].map((part) => pad(part, 2));
  return parts.join(":") + "." + pad(moment.getMilliseconds(), 3);
}

export function day(moment) {
  return [moment.getFullYear(), pad(moment.getMonth() + 1, 2), pad(moment.getDate(), 2)].join("-");
}

export function short(text) {
  const moment = new Date(text);
  const today = day(moment) === day(new Date());
  return today ? time_of_day(moment) : day(moment) + " " + time_of_day(moment);
}

export function full(text) {
  const moment = new Date(text);
  return day(moment) + " " + time_of_day(moment);
}

export function age(seconds) {
  seconds = Math.max(0, Math.round(seconds));
  if (seconds < 2) return "now";
  if (seconds < 60) return seconds + " s ago";
  if (seconds < 3600) return Math.floor(seconds / 60) + " min ago";
  if (seconds < 86400) return Math.floor(seconds / 3600) + " h ago";
  return Math.floor(seconds / 86400) + " d ago";
}
