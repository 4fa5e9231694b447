// Heap picture: heap curves as an SVG, one panel each, with the line through the second half.
//
// Pure: text from numbers. The background is its own, so that it is legible on a dark page.
import type { Flatness, Point } from "./heap-curve.js";

export interface Panel {
  readonly title: string;
  /** Below the axis. */
  readonly xLabel: string;
  readonly points: readonly Point[];
  readonly flatness: Flatness;
}

const width = 960;
const height = 320;
const plot = { left: 84, right: 24, top: 56, bottom: 56 };
const megabyte = 1024 ** 2;

export function heapPicture(panels: readonly Panel[]): string {
  const drawn = panels.map((panel, index) => `<g transform="translate(0 ${index * height})">\n${draw(panel)}\n</g>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height * panels.length}" role="img" font-family="system-ui, sans-serif" font-size="14">
<title>Heap after a forced collection</title>
<rect width="100%" height="100%" fill="#ffffff"/>
${drawn.join("\n")}
</svg>
`;
}

function draw({ title, xLabel, points, flatness }: Panel): string {
  const xMost = Math.max(...points.map(({ x }) => x));
  const xTicks = ticks(xMost, 8).filter((x) => x <= xMost);
  const yTicks = ticks(Math.max(...points.map(({ y }) => y)) / megabyte, 5);
  const yMost = yTicks.at(-1) ?? 1;
  const right = width - plot.right;
  const floor = height - plot.bottom;
  const px = (x: number): string => (plot.left + (x / xMost) * (right - plot.left)).toFixed(1);
  const py = (mb: number): string => (floor - (mb / yMost) * (floor - plot.top)).toFixed(1);
  const at = ({ x, y }: Point): string => `${px(x)},${py(y / megabyte)}`;
  const { from, to, rise, bound, isFlat } = flatness;
  const verdict = `second half: ${signed(rise / megabyte)} MiB, bound ${(bound / megabyte).toFixed(1)} MiB: ${isFlat ? "flat" : "NOT FLAT"}`;
  return [
    `<text x="${plot.left}" y="24" font-size="17" font-weight="600" fill="#111111">${title}</text>`,
    `<text x="${plot.left}" y="44" fill="#b3261e">${verdict}</text>`,
    `<rect x="${plot.left}" y="${plot.top}" width="${(Number(px(from.x)) - plot.left).toFixed(1)}" height="${floor - plot.top}" fill="#f1f1f1"/>`,
    `<text x="${plot.left + 8}" y="${floor - 8}" fill="#767676">warm-up</text>`,
    ...yTicks.map((mb) => `<path d="M${plot.left} ${py(mb)}H${right}" stroke="#dddddd"/>`),
    ...yTicks.map(
      (mb) => `<text x="${plot.left - 8}" y="${Number(py(mb)) + 5}" text-anchor="end" fill="#333333">${mb}</text>`,
    ),
    ...xTicks.map(
      (x) => `<text x="${px(x)}" y="${floor + 20}" text-anchor="middle" fill="#333333">${counted(x)}</text>`,
    ),
    `<path d="M${plot.left} ${plot.top}V${floor}H${right}" fill="none" stroke="#333333"/>`,
    `<text x="${(plot.left + right) / 2}" y="${height - 12}" text-anchor="middle" fill="#333333">${xLabel}</text>`,
    `<text transform="translate(22 ${(plot.top + floor) / 2}) rotate(-90)" text-anchor="middle" fill="#333333">heap, MiB</text>`,
    `<polyline points="${points.map(at).join(" ")}" fill="none" stroke="#1a56b0" stroke-width="2"/>`,
    `<path d="M${at(from)}L${at(to)}" stroke="#b3261e" stroke-width="2" stroke-dasharray="6 4"/>`,
  ].join("\n");
}

/** From 0 to the first that is not below `most`, about so many steps of 1, 2 or 5 times a power of ten. */
export function ticks(most: number, steps: number): readonly number[] {
  const rough = Math.max(most, Number.MIN_VALUE) / steps;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((times) => times * power >= rough) ?? 10) * power;
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

function counted(value: number): string {
  if (value >= 1_000_000) return `${value / 1_000_000} M`;
  return value >= 1_000 ? `${value / 1_000} k` : String(value);
}
function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}
