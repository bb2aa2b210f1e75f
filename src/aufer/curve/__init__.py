"""The learning curve: its sizes, figures, pictures and words, and the page of them."""
