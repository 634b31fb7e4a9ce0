// A line chart that follows its data. It is a picture: whoever uses it says the
// same in words or in a table beside it.
import {useEffect, useRef} from 'preact/hooks';
import uPlot, {type AlignedData, type Options} from 'uplot';
import 'uplot/dist/uPlot.min.css';

const HEIGHT = 220;

export const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Colours are the theme's: charts are made anew when it changes.
const dark = matchMedia('(prefers-color-scheme: dark)');

export function axis(extra: uPlot.Axis = {}): uPlot.Axis {
  return {
    stroke: () => colour('--muted'), font: '12px system-ui, sans-serif',
    grid: {stroke: () => colour('--line'), width: 1}, ticks: {show: false}, ...extra,
  };
}

export function Chart({options, data, label}: {
  options: Omit<Options, 'width' | 'height'>; data: AlignedData; label: string;
}) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>();
  const newest = useRef(data);
  newest.current = data;
  useEffect(() => {
    const at = place.current!;
    const make = () => {
      plot.current?.destroy();
      plot.current = new uPlot({...options, width: at.clientWidth || 300, height: HEIGHT}, newest.current, at);
    };
    make();
    const resized = new ResizeObserver(() => plot.current?.setSize({width: at.clientWidth, height: HEIGHT}));
    resized.observe(at);
    dark.addEventListener('change', make);
    return () => {
      dark.removeEventListener('change', make);
      resized.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
    // A change of the data alone redraws, below.
  }, [options]);
  useEffect(() => plot.current?.setData(data), [data]);
  return <div ref={place} class="chart" role="img" aria-label={label} />;
}
