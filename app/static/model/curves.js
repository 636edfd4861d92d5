// What training showed, epoch by epoch.

import { lineChart } from "../shared/charts/lines.js";
import { element } from "../shared/dom.js";

export function trainingCurves(history) {
  const of = (key) => history.map((epoch) => epoch[key]);
  const x = of("epoch");
  const share = (value) => `${Number((value * 100).toFixed(1))}%`;
  const number = (value) => String(Number(value.toPrecision(3)));
  const common = { x, ends: [`epoch ${x[0]}`, `${x.at(-1)}`] };
  return element(
    "div",
    { class: "charts pairs" },
    lineChart({
      ...common,
      title: "Accuracy",
      series: [
        { name: "training", values: of("train_accuracy") },
        { name: "held out", values: of("watched_accuracy") },
      ],
      format: share,
    }),
    lineChart({
      ...common,
      title: "Loss",
      series: [
        { name: "training", values: of("train_loss") },
        { name: "held out", values: of("watched_loss") },
      ],
      format: number,
      least: 0,
    }),
    lineChart({
      ...common,
      title: "Learning rate",
      series: [{ name: "rate", values: of("learning_rate") }],
      format: number,
      least: 0,
    }),
    lineChart({
      ...common,
      title: "Image size, pixels",
      series: [{ name: "size", values: of("image_size") }],
      format: number,
      least: 0,
    }),
  );
}
