"""Section 3: batches, schedule, loop, checkpoints."""
