"""Section 3: audio in, log-mel spectrogram and voice activity out."""
