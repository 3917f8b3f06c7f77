"""How steps are taken: from a net's gradient to the picture's next state.

`ascent.Ascent` holds the picture and takes the steps. Where the gradient comes from is a source:
`net_source` runs any pycaffe-like net layer by layer, `plan_source` a plan of our own nets, at once
or tile by tile (`plan_gradients`). `directions` makes a direction of a gradient; `device_steps`
records a step for a GPU.
"""
