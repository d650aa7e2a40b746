"""All figures, by subject, in the order of the table."""
from bench.figures import (delivery, field, intake, memory, objects, store,  # noqa: F401  (each declares its figures)
                           timing)
