"""How fast the package is beside the libraries that a reader would otherwise use: `python -m benchmarks`.

Peers run in the same process, with the same weights or the same shape, and take turns. `measuring` holds the clock,
`peers` the other libraries, `training`, `epoch`, `decoding`, `attention` and `language_model` the parts, `report`
the table.
"""
