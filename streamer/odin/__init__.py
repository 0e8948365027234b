"""
The ODIN market feed on the wire, both directions, with no input or output.

``docs/odin-feed.md`` describes the protocol; the modules follow it from the
outside in: :mod:`framing <streamer.odin.framing>` (bytes and frames),
:mod:`messages <streamer.odin.messages>` (texts and typed messages) and
:mod:`connection <streamer.odin.connection>` (who may say what when).
"""
