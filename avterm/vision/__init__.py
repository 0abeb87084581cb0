"""Section 3: images in, pixels, grid crops and frozen backbones out."""
