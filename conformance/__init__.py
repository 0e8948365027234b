"""Odin Conformance: decides whether a server speaks the client protocol, and keeps its promises."""
