"""The demo corpus, as plain files: its words, grammar and drawing rules."""
