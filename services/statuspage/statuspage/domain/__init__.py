"""The pure core: streams, commands, decisions."""
