"""Section 3: the speech branch, the image branch, the two together, the losses."""
