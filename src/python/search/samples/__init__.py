"""What to try a search with: dumps of any size, covers of shapes and colours, a small CLIP that learns them."""
