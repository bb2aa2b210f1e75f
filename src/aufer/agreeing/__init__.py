"""How two AU tables of the same images agree: pairs, figures, tables, pictures, words, page."""
