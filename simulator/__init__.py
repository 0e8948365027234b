"""An ODIN feed server that replays recorded or synthetic trading days on its own clock."""
