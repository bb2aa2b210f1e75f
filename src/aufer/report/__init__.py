"""The report of an evaluation: its figures, tables, pictures and words, and the page of them."""
