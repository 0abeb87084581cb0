"""Section 4: k-means of both modalities, affinity, variance."""
