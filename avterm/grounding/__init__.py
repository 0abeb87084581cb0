"""Section 4: proposals, scores, selection."""
