"""Section 5: alignments, segment labels, purity, coverage, localisation."""
