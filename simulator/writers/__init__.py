"""One writer a file format. Each takes text columns or a frame and knows nothing of any feed."""
