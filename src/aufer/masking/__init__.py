"""What a mask hides: its figures, tables, pictures and words, and the page of them."""
