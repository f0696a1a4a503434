const known = (value) => value !== null && value !== undefined;
const rate = (value) => (known(value) ? value.toFixed(3) : "–");
const interval = (estimate) => (known(estimate[1]) ? "[" + rate(estimate[1]) + ", " + rate(estimate[2]) + "]" : "");
const signed = (value, digits = 3) => (known(value) ? (value > 0 ? "+" : value < 0 ? "−" : "±") + Math.abs(value).toFixed(digits) : "–");
const pValue = (value) => (value < 0.001 ? value.toExponential(1) : value.toFixed(3));

function amount(value) {
  if (!known(value)) return "–";
  if (value === 0) return "0";
  for (const [bound, unit] of [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"]]) {
    if (value >= bound) return (value / bound).toPrecision(3) + " " + unit;
  }
  return value >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
}

const score = (value) => (known(value) ? (Math.abs(value) < 0.001 && value !== 0 ? value.toExponential(1) : value.toFixed(3)) : "none");
const short = (text, length) => (text.length > length ? text.slice(0, length - 1) + "…" : text);
const MARKS = { 1: "right", 0: "wrong", e: "failed", "-": "not graded" };
