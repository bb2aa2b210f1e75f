"""The Docker engine from outside: reaching it, asking for containers, files in and out."""
