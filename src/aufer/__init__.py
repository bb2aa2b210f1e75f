"""aufer: from folders of face photos to Action Units, and to an explained expression model.

Importing this package costs nothing; import what you need from its modules, for example
``from aufer.build_dataset import build_dataset``. docs/python.md lists them.
"""

__version__ = "0.1.0"
