"""Why a model answers as it does: of one face, and as a whole."""
