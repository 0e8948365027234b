"""Odin Streamer: a quote server between an ODIN market feed and any number of WebSocket clients."""
