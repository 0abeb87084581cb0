"""The widgets of the terminal app; each owns its keys and messages."""
