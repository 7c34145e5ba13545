// The model's evidence map, painted over the square it looked at.

// Cool and clear where there was little, warm where there was much; alpha leaves the leaf visible.
function colour(level) {
  const warm = level / 255;
  return [200 + 40 * (1 - warm), 190 - 150 * warm, 40, 215 * Math.max(0, warm - 0.15)];
}

// Bilinear between the centres of the map's cells, constant beyond the outer ones. `at` is in cells.
export function sample({ width, height, values }, x, y) {
  const inside = (value, count) => Math.min(Math.max(value, 0), count - 1);
  const left = Math.floor(inside(x, width));
  const top = Math.floor(inside(y, height));
  const right = inside(left + 1, width);
  const bottom = inside(top + 1, height);
  const across = inside(x, width) - left;
  const down = inside(y, height) - top;
  const row = (line) => values[line * width + left] * (1 - across) + values[line * width + right] * across;
  return row(top) * (1 - down) + row(bottom) * down;
}

export function paint(canvas, map) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  for (let y = 0; y < canvas.height; y += 1) {
    for (let x = 0; x < canvas.width; x += 1) {
      const column = ((x + 0.5) * map.width) / canvas.width - 0.5;
      const line = ((y + 0.5) * map.height) / canvas.height - 0.5;
      image.data.set(colour(sample(map, column, line)), 4 * (y * canvas.width + x));
    }
  }
  context.putImageData(image, 0, 0);
}
