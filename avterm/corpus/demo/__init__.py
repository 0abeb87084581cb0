"""The demo corpus: spoken scenes made by the project itself (pictures drawn, captions from a grammar, synthesised)."""
