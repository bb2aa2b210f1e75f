"""The comparison of models: statistics of pairs, figures, pictures and words, and the page."""
