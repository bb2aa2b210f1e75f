"""Picture files: what they hold, and their pixels as models want them."""
