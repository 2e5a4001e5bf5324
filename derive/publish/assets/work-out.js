// Works out every array of a formula from its inputs, whichever the formula is.
globalThis.attentionWorkOut = (key, given) => {
  "use strict";
  const { stages, mechanisms, sizes } = globalThis.attentionFormulas;
  const arrays = { ...given };
  const lengths = sizes[key.endsWith("projected") ? "projected" : "plain"];
  for (const [size, [name, axis]] of Object.entries(lengths)) {
    arrays[size] = axis === 0 ? given[name].length : given[name][0].length;
  }
  const filled = (shape, entry, place) =>
    place.length === shape.length
      ? entry(arrays, ...place)
      : Array.from({ length: arrays[shape[place.length]] }, (_, at) =>
          filled(shape, entry, [...place, at + 1]));
  for (const number of mechanisms[key]) {
    const { name, shape, entry } = stages[number];
    arrays[name] = filled(shape, entry, []);
  }
  return arrays;
};
