"""Section 2: image/caption pairs on disk become a corpus."""
